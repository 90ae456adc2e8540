package dev.waymark.cache;

import dev.waymark.WaymarkConfig;
import java.util.List;

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
          "timeline",
          "intent");

  private WeakenedRedis() {}

  /**
   * Connects without some guards.
   *
   * @param missing of {@link #GUARDS}
   */
  public static RedisTier connect(WaymarkConfig.Redis settings, List<String> missing) {
    return RedisTier.connect(settings, Scripts.without(missing), Steps.UNWATCHED);
  }
}
