package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RequestBodyTest {
  private final AtomicLong clock = new AtomicLong();

  @Test
  void theLargestBodyIsTakenAndNothingBeyond() {
    byte[] largest = new byte[RequestBody.LARGEST_BYTES];

    assertThat(RequestBody.read(new ByteArrayInputStream(largest), clock::get)).isEqualTo(largest);
    assertThat(problemOf(new ByteArrayInputStream(new byte[largest.length + 1])))
        .isEqualTo(Problem.BODY_TOO_LARGE);
  }

  @Test
  void endlessDripsAreCutShort() {
    InputStream drips =
        new InputStream() {
          @Override
          public int read() {
            throw new AssertionError("Nobody reads single bytes");
          }

          @Override
          public int read(byte[] buffer, int offset, int length) {
            clock.addAndGet(1_000_000_000);
            buffer[offset] = ' ';
            return 1;
          }
        };
    assertThat(problemOf(drips)).isEqualTo(Problem.REQUEST_TIMEOUT);
    assertThat(clock.get()).isEqualTo(11_000_000_000L);
  }

  @Test
  void silenceIsATimeOut() {
    InputStream silent =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException(new TimeoutException("Idle timeout expired"));
          }
        };
    assertThat(problemOf(silent)).isEqualTo(Problem.REQUEST_TIMEOUT);
  }

  @Test
  void theRestIsTakenUpToABoundOfSizeAndOfTime() {
    byte[] much = new byte[RequestBody.MOST_DISCARDED_BYTES + 8_192];
    ByteArrayInputStream tooMuch = new ByteArrayInputStream(much);
    InputStream slow =
        new InputStream() {
          @Override
          public int read() {
            throw new AssertionError("Nobody reads single bytes");
          }

          @Override
          public int read(byte[] buffer, int offset, int length) {
            clock.addAndGet(1_000_000_000);
            return 1;
          }
        };

    assertThat(RequestBody.discard(new ByteArrayInputStream(new byte[100_000]), clock::get))
        .isTrue();
    assertThat(RequestBody.discard(tooMuch, clock::get)).isFalse();
    assertThat(tooMuch.available()).isEqualTo(8_192);
    assertThat(RequestBody.discard(slow, clock::get)).isFalse();
    assertThat(clock.get()).isEqualTo(11_000_000_000L);
  }

  private Problem problemOf(InputStream body) {
    return catchThrowableOfType(Refusal.class, () -> RequestBody.read(body, clock::get)).problem();
  }
}
