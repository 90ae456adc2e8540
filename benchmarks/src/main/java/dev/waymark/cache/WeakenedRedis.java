package dev.waymark.cache;

import dev.waymark.WaymarkConfig;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A Redis tier whose scripts lack guards, so that a history shows what each of them is for. In the
 * cache's own package because nobody else may have one.
 */
public final class WeakenedRedis {
  /** The guards that are a part of the scripts. */
  public static final List<String> GUARDS =
      List.of(
          "lease-token",
          "lease-copy",
          "snapshot",
          "position-floor",
          "epoch",
          "incarnation",
          "horizon",
          "recovery-token",
          "intent");

  private WeakenedRedis() {}

  /**
   * Connects without some guards.
   *
   * @param missing of {@link #GUARDS}
   */
  public static RedisTier connect(WaymarkConfig.Redis settings, List<String> missing) {
    return RedisTier.connect(settings, without(missing), Steps.UNWATCHED);
  }

  static Scripts without(List<String> missing) {
    return Scripts.changedBy(
        script -> {
          String text = script;
          for (String guard : missing) {
            text =
                Pattern.compile(
                        "^ *-- guard: " + Pattern.quote(guard) + "\\n.*?-- end\\n",
                        Pattern.DOTALL | Pattern.MULTILINE)
                    .matcher(text)
                    .replaceAll("");
          }
          return text;
        });
  }
}
