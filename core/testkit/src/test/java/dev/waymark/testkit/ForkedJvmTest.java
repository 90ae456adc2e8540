package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ForkedJvmTest {

  private static final Duration LIMIT = Duration.ofSeconds(30);

  @Test
  void linesGoInAndOutUntilItEnds() {
    try (ForkedJvm jvm = ForkedJvm.start(Echo.class, "first argument")) {
      assertThat(jvm.readLine(LIMIT)).isEqualTo("first argument");
      jvm.send("grüße");
      assertThat(jvm.readLine(LIMIT)).isEqualTo("grüße");
      jvm.send("end");
      assertThat(jvm.waitFor(LIMIT)).isEqualTo(7);
      assertThat(jvm.isAlive()).isFalse();
      assertThatThrownBy(() -> jvm.readLine(LIMIT))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("prints no more lines")
          .hasMessageContaining("said on the standard error");
    }
  }

  @Test
  void silenceIsAnErrorThatNamesTheJvm() {
    try (ForkedJvm jvm = ForkedJvm.start(Echo.class, "up")) {
      jvm.readLine(LIMIT);
      assertThatThrownBy(() -> jvm.readLine(Duration.ofMillis(100)))
          // What follows is the child's standard error, where a JVM may have told of its options.
          .hasMessageStartingWith(
              "JVM %d of Echo printed no line within 0.1 s (alive=true".formatted(jvm.pid()));
    }
  }

  @Test
  void killedOneIsGoneAtOnce() {
    try (ForkedJvm jvm = ForkedJvm.start(Echo.class, "up")) {
      jvm.readLine(LIMIT);
      jvm.kill();
      assertThat(jvm.isAlive()).isFalse();
      assertThat(jvm.waitFor(LIMIT)).isEqualTo(128 + 9);
    }
  }

  @Test
  void frozenOneSaysNothingUntilItIsThawed() {
    try (ForkedJvm jvm = ForkedJvm.start(Echo.class, "up")) {
      jvm.readLine(LIMIT);
      jvm.freeze();
      jvm.send("held");
      assertThatThrownBy(() -> jvm.readLine(Duration.ofMillis(200)))
          .isInstanceOf(IllegalStateException.class);
      assertThat(jvm.isAlive()).isTrue();

      jvm.thaw();

      assertThat(jvm.readLine(LIMIT)).isEqualTo("held");
      jvm.kill();
      assertThatThrownBy(jvm::thaw)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("did not get SIGCONT");
    }
  }

  @Test
  void grandchildEndsWhenItsKilledParentIsGone() {
    long grandchild;
    try (ForkedJvm parent = ForkedJvm.start(Parent.class)) {
      grandchild = Long.parseLong(parent.readLine(LIMIT));
      assertThat(ProcessHandle.of(grandchild)).isPresent();
      parent.kill();
    }
    await().atMost(LIMIT).until(() -> !RunningProcesses.exists(grandchild));
  }

  static final class Echo {
    static void main(String[] args) throws IOException {
      var out = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
      out.println(args[0]);
      var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.equals("end")) {
          System.err.println("said on the standard error");
          System.exit(7);
        }
        out.println(line);
      }
    }
  }

  static final class Parent {
    static void main(String[] args) {
      ForkedJvm child = ForkedJvm.start(Echo.class, "up");
      child.readLine(LIMIT);
      System.out.println(child.pid());
      child.waitFor(LIMIT);
    }
  }
}
