package dev.waymark.cache;

import java.util.Locale;
import java.util.regex.Pattern;

/** What stands in the scripts between a line {@code -- guard: name} and the next {@code -- end}. */
enum Guard {
  LEASE_TOKEN,
  LEASE_COPY,
  SNAPSHOT,
  POSITION_FLOOR,
  EPOCH,
  INCARNATION,
  HORIZON,
  RECOVERY_TOKEN,
  INTENT,
  TIMELINE,
  TAG,
  STREAM_DOUBT,
  STREAM_INTENT;

  /** The scripts without this guard. */
  Scripts cutOut() {
    Pattern guard =
        Pattern.compile(
            "(?ms)^ *-- guard: "
                + name().toLowerCase(Locale.ROOT).replace('_', '-')
                + "$.*?^ *-- end$");
    return Scripts.changedBy(script -> guard.matcher(script).replaceAll(""));
  }
}
