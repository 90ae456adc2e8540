package dev.waymark.cache;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The texts of the scripts that change Redis, each put together of what all have in common and of
 * its own. Immutable.
 */
final class Scripts {
  final String read;
  final String readMany;
  final String peek;
  final String fill;
  final String release;
  final String announce;
  final String settle;
  final String barrier;
  final String sweep;
  final String forget;
  final String beat;
  final String changed;
  final String reached;
  final String follow;
  final String identity;

  private Scripts(UnaryOperator<String> change) {
    String common = resource("server-info") + resource("common");
    read = change.apply(common + resource("read"));
    readMany = change.apply(common + resource("read-many"));
    peek = change.apply(common + resource("peek"));
    fill = change.apply(common + resource("fill"));
    release = change.apply(resource("release"));
    announce = change.apply(common + resource("announce"));
    settle = change.apply(common + resource("settle"));
    barrier = change.apply(common + resource("barrier"));
    sweep = change.apply(common + resource("sweep"));
    forget = change.apply(common + resource("forget"));
    beat = change.apply(common + resource("beat"));
    changed = change.apply(common + resource("changed"));
    reached = change.apply(common + resource("reached"));
    follow = change.apply(resource("follow"));
    identity = change.apply(resource("server-info") + resource("identity"));
  }

  /** As they stand in this package. */
  static Scripts plain() {
    return new Scripts(UnaryOperator.identity());
  }

  /** Changed, for a test that wants to see a guard missed. */
  static Scripts changedBy(UnaryOperator<String> change) {
    return new Scripts(change);
  }

  /**
   * Without some of the parts that a line {@code -- guard: name} and the next {@code -- end}
   * enclose, for a test that wants to see them missed.
   *
   * @throws IllegalArgumentException if no script has a guard of such a name
   */
  static Scripts without(Collection<String> guards) {
    Set<String> notFound = new TreeSet<>(guards);
    Scripts scripts =
        new Scripts(
            script -> {
              String text = script;
              for (String guard : guards) {
                Matcher matcher =
                    Pattern.compile(
                            "^ *-- guard: " + Pattern.quote(guard) + "\n.*?-- end\n",
                            Pattern.DOTALL | Pattern.MULTILINE)
                        .matcher(text);
                if (matcher.find()) {
                  notFound.remove(guard);
                  text = matcher.replaceAll("");
                }
              }
              return text;
            });
    if (!notFound.isEmpty()) {
      throw new IllegalArgumentException("No script has a guard named " + notFound);
    }
    return scripts;
  }

  private static String resource(String name) {
    String file = name + ".lua";
    try (InputStream in = Scripts.class.getResourceAsStream(file)) {
      return new String(Objects.requireNonNull(in, file).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }
}
