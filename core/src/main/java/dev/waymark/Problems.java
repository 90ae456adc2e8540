package dev.waymark;

import dev.waymark.ConfigurationException.Problem;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.Set;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.nodes.Node;

/** Collects what is wrong with one file. Belongs to the thread that reads the file. */
final class Problems {
  /**
   * A place in the file.
   *
   * @param line counted from 1; 0 for the file as a whole
   * @param column counted from 1; 0 for the file as a whole
   */
  record Place(int line, int column) {
    static final Place WHOLE_FILE = new Place(0, 0);
    static final Place START = new Place(1, 1);

    static Place of(Mark mark) {
      return new Place(mark.getLine() + 1, mark.getColumn() + 1);
    }

    static Place of(Node node) {
      return node.getStartMark().map(Place::of).orElse(WHOLE_FILE);
    }
  }

  /** Text of the file that a message repeats is cut after this many characters. */
  private static final int LONGEST_QUOTE = 60;

  private final String file;

  /** A set: a value behind two YAML aliases is read twice and reported once. */
  private final Set<Problem> found = new LinkedHashSet<>();

  Problems(String file) {
    this.file = file;
  }

  void add(Place place, String message) {
    found.add(new Problem(file, place.line(), place.column(), message));
  }

  boolean isEmpty() {
    return found.isEmpty();
  }

  /** Throws what was found, in the order of the file; returns if nothing was. */
  void throwIfAny() {
    if (!found.isEmpty()) {
      throw new ConfigurationException(
          found.stream()
              .sorted(Comparator.comparingInt(Problem::line).thenComparingInt(Problem::column))
              .toList());
    }
  }

  /** Text of the file as it may stand in a message: one line, not too long. */
  static String printable(String text) {
    String oneLine = text.replaceAll("\\p{Cntrl}", "?");
    return oneLine.length() <= LONGEST_QUOTE
        ? oneLine
        : oneLine.substring(0, LONGEST_QUOTE) + "...";
  }
}
