package dev.waymark;

import java.util.List;
import java.util.stream.Collectors;

/** A configuration was refused. It lists every problem found, not just the first. */
public final class ConfigurationException extends WaymarkException {
  private static final long serialVersionUID = 1;

  /**
   * One thing wrong.
   *
   * @param file the file's name
   * @param line counted from 1; 0 if the problem has no place
   * @param column counted from 1; 0 if the problem has no place
   * @param message what is wrong and what to write instead, without a final stop
   */
  public record Problem(String file, int line, int column, String message) {
    @Override
    public String toString() {
      return line == 0 ? file + ": " + message : file + ":" + line + ":" + column + ": " + message;
    }
  }

  private final transient List<Problem> problems;

  /** A refusal for these problems, at least one. */
  public ConfigurationException(List<Problem> problems) {
    super(
        (problems.size() == 1
                ? "The configuration has a problem:\n"
                : "The configuration has " + problems.size() + " problems:\n")
            + problems.stream().map(problem -> "  " + problem).collect(Collectors.joining("\n")),
        Outcome.NOT_SENT,
        null);
    this.problems = List.copyOf(problems);
  }

  /** The problems, in the order of the file. */
  public List<Problem> problems() {
    return problems;
  }
}
