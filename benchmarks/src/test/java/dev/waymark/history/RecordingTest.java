package dev.waymark.history;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import dev.waymark.testkit.ForkedJvm;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordingTest {
  private static final Operation READ =
      new Operation(
          7_000_000_001L, 1, Kind.L2_READ, Result.OK, 12, 3, 1_000_000_004L, 1_000, 2_000);
  private static final Operation BEGUN =
      new Operation(
          0, 1, Kind.WRITE, Result.UNKNOWN, 13, 0, 1_000_000_005L, 1_500, Operation.NEVER);
  private static final Operation DONE =
      new Operation(0, 1, Kind.WRITE, Result.OK, 13, 4, 1_000_000_005L, 1_500, 2_500);

  @TempDir Path folder;

  @Test
  void theLaterWordAboutACallReplacesTheEarlierOne() throws IOException {
    Path file = folder.resolve("recording");
    Recording recording = Recording.create(file, 4);
    int write = recording.begin();
    recording.put(write, BEGUN);
    recording.put(recording.begin(), READ);
    assertThat(Recording.read(file)).containsExactly(BEGUN, READ);

    recording.put(write, DONE);

    assertThat(Recording.read(file)).containsExactly(DONE, READ);
  }

  @Test
  void whatAKilledProcessRecordedIsThere() throws IOException {
    Path file = folder.resolve("recording");
    try (ForkedJvm process = ForkedJvm.start(Recorder.class, file.toString())) {
      assertThat(process.readLine(Duration.ofSeconds(30))).isEqualTo("recorded");
      process.kill();
    }

    assertThat(Recording.read(file)).containsExactly(READ, BEGUN);
  }

  static final class Recorder {
    static void main(String[] arguments) throws IOException, InterruptedException {
      Recording recording = Recording.create(Path.of(arguments[0]), 10);
      recording.put(recording.begin(), READ);
      recording.put(recording.begin(), BEGUN);
      System.out.println("recorded");
      Thread.sleep(Duration.ofMinutes(1).toMillis());
    }
  }
}
