package dev.waymark;

import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One single value of the file. Values are read as text, so that quotes make no difference: {@code
 * 10}, {@code "10"} and {@code "${SIZE}"} can all be a number.
 *
 * <p>What refuses the value throws {@link IllegalArgumentException} with a message of the form "a
 * must be b, not c", here as in the compact constructors of {@link WaymarkConfig}: {@link #conceal}
 * relies on it to cut out what may be a secret.
 */
final class ConfigValue {
  private static final Pattern WHOLE_NUMBER = Pattern.compile("[-+]?[0-9]+(_[0-9]+)*");
  private static final Pattern DURATION = Pattern.compile("([0-9]{1,18})(ms|s|m|h|d)");
  private static final Pattern BOUNDED_STALENESS =
      Pattern.compile("boundedStaleness\\(\\s*(.*?)\\s*\\)");

  /** The longest duration that still counts in nanoseconds, which waiting methods do: 292 years. */
  private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE);

  private final String path;
  private final String text;
  private final Problems.Place place;

  /** What messages show instead of the text; empty if they may show the text. */
  private final String mask;

  /**
   * A value.
   *
   * @param variables the environment variables it came from, even partly
   * @param secret whether the setting holds secrets
   */
  ConfigValue(
      String path, String text, Problems.Place place, List<String> variables, boolean secret) {
    this.path = path;
    this.text = text;
    this.place = place;
    if (!variables.isEmpty()) {
      List<String> names = new ArrayList<>();
      variables.forEach(variable -> names.add("${" + variable + "}"));
      this.mask = "(the value of " + String.join(" and ", names) + ")";
    } else {
      this.mask = secret ? "(hidden)" : "";
    }
  }

  Problems.Place place() {
    return place;
  }

  /** The setting's name with the names of the maps around it. */
  String path() {
    return path;
  }

  /** The value as it is; not for messages. */
  String text() {
    return text;
  }

  /** Whether messages must not show the value. */
  boolean isHidden() {
    return !mask.isEmpty();
  }

  /** The value as messages may show it. */
  String shown() {
    return isHidden() ? mask : Problems.printable(text);
  }

  /** A message about this value, without the value if that may be a secret. */
  String conceal(String message) {
    int value = message.indexOf(", not ");
    return isHidden() && value >= 0 ? message.substring(0, value) + ", not " + mask : message;
  }

  String nonBlank() {
    if (text.isBlank()) {
      throw new IllegalArgumentException(path + " must not be empty");
    }
    return text;
  }

  long wholeNumber() {
    if (!WHOLE_NUMBER.matcher(text).matches()) {
      throw refused("a whole number");
    }
    try {
      return Long.parseLong(text.replace("_", ""));
    } catch (NumberFormatException tooBig) {
      throw refused("a whole number of at most 64 bits");
    }
  }

  int integer() {
    BigInteger number = BigInteger.valueOf(wholeNumber());
    if (number.bitLength() >= Integer.SIZE) {
      throw refused("at most " + Integer.MAX_VALUE);
    }
    return number.intValue();
  }

  /** A key or, under the given name, the first or the last one there can be. */
  long keyOr(String name, long standsFor) {
    if (text.equals(name)) {
      return standsFor;
    }
    if (!WHOLE_NUMBER.matcher(text).matches()) {
      throw refused("a whole number or " + name);
    }
    return wholeNumber();
  }

  boolean truth() {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw refused("true or false");
    };
  }

  Duration duration() {
    return duration(text);
  }

  private Duration duration(String written) {
    Matcher matcher = DURATION.matcher(written);
    if (!matcher.matches()) {
      throw refused(
          WHOLE_NUMBER.matcher(written).matches()
              ? "a duration with its unit, such as 50ms or 1s"
              : "a duration such as 50ms, 1s, 2m, 1h or 1d");
    }
    long count = Long.parseLong(matcher.group(1));
    Duration unit =
        switch (matcher.group(2)) {
          case "ms" -> Duration.ofMillis(1);
          case "s" -> Duration.ofSeconds(1);
          case "m" -> Duration.ofMinutes(1);
          case "h" -> Duration.ofHours(1);
          default -> Duration.ofDays(1);
        };
    if (count > LONGEST.dividedBy(unit)) {
      throw refused("a duration of at most " + LONGEST.toDays() + "d");
    }
    return unit.multipliedBy(count);
  }

  Consistency consistency() {
    Matcher bounded = BOUNDED_STALENESS.matcher(text);
    if (bounded.matches()) {
      Duration age = duration(bounded.group(1));
      if (age.isZero()) {
        throw refused("older than nothing, such as boundedStaleness(2s)");
      }
      return Consistency.boundedStaleness(age);
    }
    return switch (text) {
      case "strong" -> Consistency.strong();
      case "session" -> Consistency.session();
      case "eventual" -> Consistency.eventual();
      default -> throw refused("strong, session, eventual or boundedStaleness(2s)");
    };
  }

  KeyRendering keyRendering() {
    return Arrays.stream(KeyRendering.values())
        .filter(rendering -> rendering.name().toLowerCase(Locale.ROOT).equals(text))
        .findFirst()
        .orElseThrow(() -> refused("none, fingerprint or full"));
  }

  Balancing balancing() {
    return Arrays.stream(Balancing.values())
        .filter(balancing -> balancing.setting().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                refused(
                    "peakEwma, leastConnections, roundRobin, rendezvous or rendezvousByClient"));
  }

  WaymarkConfig.WhenAllLag whenAllLag() {
    return Arrays.stream(WaymarkConfig.WhenAllLag.values())
        .filter(policy -> policy.name().toLowerCase(Locale.ROOT).equals(text))
        .findFirst()
        .orElseThrow(() -> refused("primary or stale"));
  }

  WaymarkConfig.ChangedTables changedTables() {
    return Arrays.stream(WaymarkConfig.ChangedTables.values())
        .filter(tables -> tables.name().toLowerCase(Locale.ROOT).equals(text))
        .findFirst()
        .orElseThrow(() -> refused("map, all or given"));
  }

  IllegalArgumentException refused(String expected) {
    return new IllegalArgumentException(
        path + " must be " + expected + ", not '" + Problems.printable(text) + "'");
  }

  /** The value as messages may show it: a secret never gets into a log by accident. */
  @Override
  public String toString() {
    return shown();
  }
}
