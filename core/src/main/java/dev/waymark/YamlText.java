package dev.waymark;

import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.ReaderException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlVersionException;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.Tag;
import org.snakeyaml.engine.v2.schema.CoreSchema;

/** From YAML text to a tree of nodes with their places, within limits. */
final class YamlText {
  /** The longest text that is read. */
  static final int MAXIMUM_SIZE = 1 << 20;

  static final String TOO_LARGE = "the file is larger than 1 MiB; a configuration is smaller";
  private static final String EMPTY =
      "the file is empty; write at least version, shards, ranges and credentials";

  /** More levels of maps and lists than any setting needs; YAML's composer recurses. */
  private static final int MAXIMUM_DEPTH = 32;

  private static final LoadSettings SETTINGS =
      LoadSettings.builder()
          .setSchema(new CoreSchema())
          .setUseMarks(true)
          .setCodePointLimit(MAXIMUM_SIZE + 1)
          .setMaxAliasesForCollections(100)
          .build();

  private YamlText() {}

  /** The tree; empty if there is none, the reason being added to the problems. */
  static Optional<Node> compose(String yaml, Problems problems) {
    String text = yaml.startsWith("\uFEFF") ? yaml.substring(1) : yaml;
    if (text.length() > MAXIMUM_SIZE) {
      problems.add(Problems.Place.WHOLE_FILE, TOO_LARGE);
      return Optional.empty();
    }
    try {
      if (!isWithinLimits(text, problems)) {
        return Optional.empty();
      }
      Optional<Node> root = new Compose(SETTINGS).composeString(text);
      if (root.isEmpty() || root.get().getTag().equals(Tag.NULL)) {
        problems.add(Problems.Place.START, EMPTY);
        return Optional.empty();
      }
      return root;
    } catch (MarkedYamlEngineException malformed) {
      Problems.Place place =
          malformed
              .getProblemMark()
              .or(malformed::getContextMark)
              .map(Problems.Place::of)
              .orElse(Problems.Place.WHOLE_FILE);
      problems.add(place, "this is not YAML: " + explain(malformed, text, place));
    } catch (ReaderException malformed) {
      problems.add(
          placeOf(malformed.getPosition(), text),
          "this is not YAML: a control character stands here; take it out");
    } catch (YamlVersionException other) {
      problems.add(
          Problems.Place.START,
          "the file asks for another version of YAML; take out its %YAML line");
    } catch (YamlEngineException malformed) {
      // The only limit left: aliases, each of which makes the tree larger than its text.
      problems.add(
          Problems.Place.WHOLE_FILE, "the file has too many YAML aliases; write the values out");
    }
    return Optional.empty();
  }

  private static boolean isWithinLimits(String text, Problems problems) {
    int depth = 0;
    int documents = 0;
    for (Event event : new Parse(SETTINGS).parseString(text)) {
      switch (event.getEventId()) {
        case MappingStart, SequenceStart -> depth++;
        case MappingEnd, SequenceEnd -> depth--;
        case DocumentStart -> documents++;
        default -> {}
      }
      Problems.Place place =
          event.getStartMark().map(Problems.Place::of).orElse(Problems.Place.WHOLE_FILE);
      if (depth > MAXIMUM_DEPTH) {
        problems.add(place, "maps and lists are nested too deeply here; no setting needs that");
        return false;
      }
      if (documents > 1) {
        problems.add(place, "a second YAML document starts here; keep one and take out '---'");
        return false;
      }
    }
    return true;
  }

  /**
   * What the parser found. Its own text is kept except where it repeats words of the file: a
   * password that starts with {@code *}, without quotes, is an alias to YAML.
   */
  private static String explain(
      MarkedYamlEngineException malformed, String text, Problems.Place place) {
    String found = String.valueOf(malformed.getProblem());
    if (found.startsWith("found undefined alias")) {
      return "an alias without its anchor; put a value that starts with '*' in quotes";
    }
    if (found.startsWith("found undefined tag handle")) {
      return "an unknown tag; put a value that starts with '!' in quotes";
    }
    String line = text.lines().skip(Math.max(0, place.line() - 1)).findFirst().orElse("");
    if (line.matches(".*[{,\\[].*[^\"'$]\\$\\{.*")) {
      return found + "; between { and }, put ${...} in quotes";
    }
    return found;
  }

  /** The place of a character, as many code points after the start. */
  static Problems.Place placeOf(int codePoints, String text) {
    int line = 1;
    int column = 1;
    int[] points = text.codePoints().limit(codePoints).toArray();
    for (int point : points) {
      column = point == '\n' ? 1 : column + 1;
      line = point == '\n' ? line + 1 : line;
    }
    return new Problems.Place(line, column);
  }
}
