package dev.waymark.sample;

import io.javalin.http.Context;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Reads a body within limits of size and of time. A client that sends one byte now and then keeps
 * every limit on silence, and a thread; the limit here is on the whole body.
 */
final class RequestBody {
  static final int LARGEST_BYTES = 16_384;
  static final int MOST_DISCARDED_BYTES = 1_048_576;
  static final Duration LONGEST = Duration.ofSeconds(10);

  private RequestBody() {}

  static byte[] read(Context context) {
    if (context.contentLength() > LARGEST_BYTES) {
      throw tooLarge();
    }
    return read(context.bodyInputStream(), System::nanoTime);
  }

  /**
   * The whole body.
   *
   * @throws Refusal if it is too large or too slow
   */
  static byte[] read(InputStream in, LongSupplier nanoClock) {
    long start = nanoClock.getAsLong();
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    byte[] buffer = new byte[4_096];
    try {
      // Each of them waits for the server's idle time-out at most.
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        body.write(buffer, 0, read);
        if (body.size() > LARGEST_BYTES) {
          throw tooLarge();
        }
        if (nanoClock.getAsLong() - start > LONGEST.toNanos()) {
          throw tooSlow();
        }
      }
      return body.toByteArray();
    } catch (IOException silence) {
      // Or the client is gone, and reads no answer.
      throw tooSlow();
    }
  }

  /**
   * Takes what is left of a body that nobody wants, before the refusal is sent. A server that
   * closes with bytes unread resets the connection, and a client that is still sending then sees a
   * broken pipe in place of the answer. What is too much or too slow for that is left, and the
   * connection closed.
   */
  static void discardRest(Context context) {
    boolean isClosing = "close".equalsIgnoreCase(context.res().getHeader("Connection"));
    boolean waitsToBeAsked = context.header("Expect") != null;
    if (isClosing || waitsToBeAsked) {
      return;
    }
    boolean isHuge = context.contentLength() > MOST_DISCARDED_BYTES;
    if (isHuge || !discard(context.bodyInputStream(), System::nanoTime)) {
      context.header("Connection", "close");
    }
  }

  /** Whether the end was reached. */
  static boolean discard(InputStream in, LongSupplier nanoClock) {
    long start = nanoClock.getAsLong();
    byte[] buffer = new byte[4_096];
    try {
      for (int left = MOST_DISCARDED_BYTES;
          left > 0 && nanoClock.getAsLong() - start <= LONGEST.toNanos(); ) {
        int read = in.read(buffer);
        if (read < 0) {
          return true;
        }
        left -= read;
      }
      return false;
    } catch (IOException silence) {
      return false;
    }
  }

  private static Refusal tooLarge() {
    return Refusal.of(
        Problem.BODY_TOO_LARGE, "The body is larger than " + LARGEST_BYTES + " bytes.");
  }

  private static Refusal tooSlow() {
    return Refusal.of(
            Problem.REQUEST_TIMEOUT,
            "The body did not come within " + LONGEST.toSeconds() + " s. Nothing was done.")
        .with("Connection", "close");
  }
}
