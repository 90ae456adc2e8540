package dev.waymark.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Two summaries side by side. Ratios to raw are compared where both have them, as they say more
 * than figures of two machines or moods; a change counts if the rounds' ranges do not even touch.
 */
final class Comparison {
  private Comparison() {}

  /** Which figure, whatever its value. */
  private record Place(String group, String contender, String metric) {
    static Place of(Figure figure) {
      return new Place(figure.group(), figure.contender(), figure.metric());
    }
  }

  static void print(Path oldFile, Path newFile) throws IOException {
    List<Figure> before = Summary.read(oldFile);
    if (before.isEmpty()) {
      throw new IllegalArgumentException("There are no figures in " + oldFile);
    }
    Map<Place, Figure> old = new LinkedHashMap<>();
    before.forEach(figure -> old.put(Place.of(figure), figure));
    System.out.printf(
        "%n%-20s %-20s %-18s %12s %12s %10s %10s %10s%n",
        "group", "contender", "metric", "before", "now", "ratio", "ratio now", "change");
    for (Figure now : Summary.read(newFile)) {
      Figure then = old.get(Place.of(now));
      if (then != null) {
        System.out.println(line(then, now));
      }
    }
    System.out.println(
        "* the ranges of the rounds do not touch; the change is that of the ratios to raw where"
            + " both are known");
  }

  static String line(Figure then, Figure now) {
    Double change =
        then.ratio() != null && now.ratio() != null && !now.contender().equals(Summary.RAW)
            ? share(then.ratio(), now.ratio())
            : share(then.median(), now.median());
    return String.format(
        Locale.ROOT,
        "%-20s %-20s %-18s %12s %12s %10s %10s %9s%s",
        now.group(),
        now.contender(),
        now.metric(),
        Summary.text(then.median(), "%.2f"),
        Summary.text(now.median(), "%.2f"),
        Summary.text(then.ratio(), "%.3f"),
        Summary.text(now.ratio(), "%.3f"),
        Summary.text(change, "%+.1f %%"),
        areApart(then, now) ? " *" : "");
  }

  private static @Nullable Double share(@Nullable Double then, @Nullable Double now) {
    return then == null || now == null || then == 0 ? null : (now / then - 1) * 100;
  }

  static boolean areApart(Figure one, Figure other) {
    return one.min() != null
        && one.max() != null
        && other.min() != null
        && other.max() != null
        && (one.max() < other.min() || other.max() < one.min());
  }
}
