package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PsqlScriptTest {
  @TempDir Path folder;

  private PsqlScript script(String... lines) throws IOException {
    return PsqlScript.of(Files.write(folder.resolve("script.sql"), List.of(lines)));
  }

  @Test
  void theDataOfACopyAreNoStatements() throws IOException {
    PsqlScript script = script("-- some rows", "COPY t FROM stdin;", "1;it's", "\\.", "SELECT 1;");

    assertThat(script.statements()).containsExactly("SELECT 1");
    assertThat(script.leftOut().values()).containsExactly(1);
  }

  @Test
  void aCopyThatIsToFailHasNoData() throws IOException {
    PsqlScript script =
        script(
            "COPY t (nothing) FROM stdin;",
            "SELECT 1; -- runs",
            "COPY t FROM stdin;",
            "2",
            "\\.",
            "SELECT 2;");

    assertThat(script.statements()).containsExactly("SELECT 1", "SELECT 2");
  }

  @Test
  void whatNeedsAVariableIsCountedAndNotRun() throws IOException {
    PsqlScript script =
        script(
            "SELECT :'file', 'x';",
            "SELECT :name;",
            "SELECT :\"column\" FROM t;",
            "SELECT 'no :variable', a::text, b[1:2] FROM t /* :either */");

    assertThat(script.statements())
        .containsExactly("SELECT 'no :variable', a::text, b[1:2] FROM t /* :either */");
    assertThat(script.leftOut().values()).containsExactly(3);
  }
}
