package dev.waymark;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A value with {@code ${NAME}} and {@code ${NAME:default}} replaced by environment variables.
 *
 * <p>It is done on the value after YAML was parsed, so that a password with a quote or a colon in
 * it cannot change the structure of the file. The default is taken if the variable is not set; a
 * variable that is set to nothing stands for nothing.
 *
 * @param text the value; meaningless if there are faults
 * @param variables the variables named, in order
 * @param faults what is wrong, each a message without the setting's name
 */
record Placeholders(String text, List<String> variables, List<String> faults) {
  private static final Pattern PLACEHOLDER =
      Pattern.compile(
          "(?<escaped>\\$\\$\\{)"
              + "|\\$\\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?<default>[^}]*))?\\}"
              + "|\\$\\{");

  static Placeholders replaceIn(String raw, Function<String, @Nullable String> environment) {
    List<String> variables = new ArrayList<>();
    List<String> faults = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    Matcher matcher = PLACEHOLDER.matcher(raw);
    while (matcher.find()) {
      String name = matcher.group("name");
      String replacement = "";
      if (matcher.group("escaped") != null) {
        replacement = "${";
      } else if (name == null) {
        faults.add(
            "holds a '${' that starts no variable; write ${NAME} or ${NAME:default}, or $${ for"
                + " the two characters themselves");
      } else {
        variables.add(name);
        String value = environment.apply(name);
        String defaultValue = matcher.group("default");
        if (value != null) {
          replacement = value;
        } else if (defaultValue != null) {
          replacement = defaultValue;
        } else {
          faults.add(
              "needs the environment variable %1$s, which is not set; set it, or write ${%1$s:a default}"
                  .formatted(name));
        }
      }
      matcher.appendReplacement(text, Matcher.quoteReplacement(replacement));
    }
    matcher.appendTail(text);
    return new Placeholders(text.toString(), List.copyOf(variables), List.copyOf(faults));
  }
}
