package dev.waymark.sample;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the command line asks for.
 *
 * @param port 0 for any that is free
 * @param livePage whether the live page is served
 * @param stopWithParent whether to stop when the process that started this one has ended
 */
record Arguments(Run run, String host, int port, boolean livePage, boolean stopWithParent) {
  static final String HELP =
      """
      The sample service of Waymark: users and orders over REST.

        --demo           start a cluster of its own (3 shards with 3 PostgreSQL nodes each, and a
                         Redis), load users and orders, and serve until Ctrl-C, which removes all
        --config FILE    serve from the servers that FILE (waymark.yaml) names
        --init-schema    with --config: first create what is missing on every shard
        --live-page      with --config: show the live page at /; the demo always does
        --host HOST      listen on this address (default 127.0.0.1)
        --port PORT      listen on this port (default 7070; 0 for any that is free);
                         the demo takes the next one if it is taken
        --stop-with-parent
                         stop as well when the process that started this one has ended
        --help           print this
      """;

  static final int USUAL_PORT = 7070;

  /** Which of the things that the service can do. */
  sealed interface Run {
    /** Print the help. */
    record Help() implements Run {}

    /** Serve from a cluster of our own. */
    record Demo() implements Run {}

    /**
     * Serve from somebody's servers.
     *
     * @param initSchema whether to create what is missing first
     */
    record Serve(Path config, boolean initSchema) implements Run {}
  }

  /**
   * Reads a command line.
   *
   * @throws IllegalArgumentException if it makes no sense; the message lists every reason
   */
  static Arguments parse(String... arguments) {
    Deque<String> rest = new ArrayDeque<>(List.of(arguments));
    List<String> problems = new ArrayList<>();
    boolean help = false;
    boolean demo = false;
    boolean initSchema = false;
    boolean livePage = false;
    boolean stopWithParent = false;
    String config = null;
    String host = "127.0.0.1";
    int port = USUAL_PORT;
    while (!rest.isEmpty()) {
      String argument = rest.pop();
      switch (argument) {
        case "--help", "-h" -> help = true;
        case "--demo" -> demo = true;
        case "--init-schema" -> initSchema = true;
        case "--live-page" -> livePage = true;
        case "--stop-with-parent" -> stopWithParent = true;
        case "--config" -> config = value(argument, "a file", rest, problems);
        case "--host" -> host = value(argument, "an address", rest, problems);
        case "--port" -> port = port(value(argument, "a number", rest, problems), problems);
        default -> problems.add("There is no argument '" + argument + "'.");
      }
    }
    if (help) {
      return new Arguments(new Run.Help(), "127.0.0.1", USUAL_PORT, false, false);
    }
    if (demo && config != null) {
      problems.add("--demo and --config exclude each other.");
    } else if (!demo && config == null && problems.isEmpty()) {
      problems.add("Say --demo, or --config FILE.");
    }
    if (initSchema && config == null) {
      problems.add("--init-schema goes with --config only; the demo does it anyway.");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", problems));
    }
    Run run = config == null ? new Run.Demo() : new Run.Serve(Path.of(config), initSchema);
    return new Arguments(
        run, host == null ? "127.0.0.1" : host, port, livePage || demo, stopWithParent);
  }

  private static @Nullable String value(
      String argument, String what, Deque<String> rest, List<String> problems) {
    if (rest.isEmpty() || rest.peek().startsWith("--")) {
      problems.add(argument + " needs " + what + " after it.");
      return null;
    }
    return rest.pop();
  }

  private static int port(@Nullable String text, List<String> problems) {
    if (text == null) {
      return USUAL_PORT;
    }
    if (text.matches("\\d{1,5}") && Integer.parseInt(text) <= 65_535) {
      return Integer.parseInt(text);
    }
    problems.add("--port must be a number from 0 to 65535, not '" + text + "'.");
    return USUAL_PORT;
  }
}
