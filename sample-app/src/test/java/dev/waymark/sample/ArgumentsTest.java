package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.sample.Arguments.Run;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ArgumentsTest {
  @Test
  void theDemoListensOnLoopback() {
    assertThat(Arguments.parse("--demo"))
        .isEqualTo(new Arguments(new Run.Demo(), "127.0.0.1", 7070, true, false));
  }

  @Test
  void servesFromAFile() {
    assertThat(
            Arguments.parse(
                "--config", "waymark.yaml", "--init-schema", "--host", "::1", "--port", "0"))
        .isEqualTo(
            new Arguments(new Run.Serve(Path.of("waymark.yaml"), true), "::1", 0, false, false));
  }

  @Test
  void endsWithItsParentWhenAsked() {
    assertThat(Arguments.parse("--demo", "--stop-with-parent").stopWithParent()).isTrue();
  }

  @Test
  void theLivePageIsThereOnRequest() {
    assertThat(Arguments.parse("--config", "f", "--live-page").livePage()).isTrue();
  }

  @Test
  void helpWinsOverWhatElseIsSaid() {
    assertThat(Arguments.parse("--port", "x", "--help").run()).isEqualTo(new Run.Help());
  }

  @Test
  void everyProblemIsReported() {
    assertThatThrownBy(
            () ->
                Arguments.parse("--demo", "--confg", "--config", "f", "--port", "70000", "--host"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            There is no argument '--confg'.
            --port must be a number from 0 to 65535, not '70000'.
            --host needs an address after it.
            --demo and --config exclude each other.""");
  }

  @Test
  void somethingMustBeSaid() {
    assertThatThrownBy(() -> Arguments.parse()).hasMessage("Say --demo, or --config FILE.");
  }

  @Test
  void theDemoCreatesItsSchemaAnyway() {
    assertThatThrownBy(() -> Arguments.parse("--demo", "--init-schema"))
        .hasMessage("--init-schema goes with --config only; the demo does it anyway.");
  }
}
