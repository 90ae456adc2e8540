package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.SessionToken;
import java.time.Duration;
import java.util.List;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The stamps and proofs of {@link LocalTier} under every way of switching between threads.
 *
 * <p>A write lets one nanosecond pass, and that is the bound: what L1 serves is never older than
 * the last write that was over when it was asked.
 */
class LocalTierInterleavingsIT {
  private static final String KEY = "key";
  private static final int HASH = 0x1234;
  private static final int BUCKET = HASH & (CacheKey.BUCKETS - 1);

  /** What threads do with one key. A value is the number of the write that it shows. */
  public static class Operations {
    final Clock clock = new Clock();
    final LocalTier<String, Integer> tier = LocalTier.holding(10, Duration.ofNanos(1), clock);

    private int written;
    private int heardUpTo;
    private boolean beaten;

    /** Time that the writes make. */
    static final class Clock implements Time {
      private volatile long now;

      @Override
      public long nanos() {
        return now;
      }

      @Override
      public void pause(Duration duration) {
        throw new UnsupportedOperationException();
      }
    }

    /** For Lincheck. */
    public Operations() {
      beat();
    }

    synchronized int fetch() {
      return written;
    }

    private synchronized int change() {
      clock.now = ++written;
      return written;
    }

    private synchronized void heard(int number) {
      if (heardUpTo == number - 1) {
        heardUpTo = number;
      }
    }

    /** A write whose message arrives at once. */
    public void write() {
      int number = change();
      tier.invalidated(place(number), new int[] {HASH});
      heard(number);
    }

    /** A write whose message is lost. */
    public void writeUnheard() {
      change();
    }

    /** Asks what was missed. */
    public void beat() {
      long sentAt = clock.nanos();
      tier.beaten(ask(), countedFrom(sentAt), Seen.nothing());
    }

    long countedFrom(long sentAt) {
      return sentAt;
    }

    private synchronized SharedTier.Beat ask() {
      int @Nullable [] missed =
          !beaten ? null : heardUpTo == written ? new int[0] : new int[] {HASH};
      beaten = true;
      heardUpTo = written;
      return new SharedTier.Beat(place(written), missed);
    }

    private static SharedTier.Place place(int number) {
      return new SharedTier.Place(BUCKET, "epoch", number);
    }

    /** Whether a read is not behind what was written before it. */
    public boolean read() {
      int due = fetch();
      LocalTier.Entry<Integer> entry = tier.get(KEY, HASH, SessionToken.empty());
      if (entry != null) {
        return entry.value() >= due;
      }
      load();
      return true;
    }

    void load() {
      int stamp = tier.stamp(HASH);
      keep(fetch(), stamp);
    }

    void keep(int value, int stamp) {
      tier.put(
          KEY, new LocalTier.Entry<>(value, null, stamp, 0, Long.MAX_VALUE / 2, null, null, null));
    }
  }

  /** A caller that asks for the stamp when it has the value. */
  public static class StampAfterFetch extends Operations {
    @Override
    void load() {
      int value = fetch();
      keep(value, tier.stamp(HASH));
    }
  }

  /** A caller that counts a proof from its answer. */
  public static class ProofFromAnswer extends Operations {
    @Override
    long countedFrom(long sentAt) {
      return clock.nanos();
    }
  }

  /** What they return one after the other. */
  public static class InOrder {
    public void write() {}

    public void writeUnheard() {}

    public void beat() {}

    public boolean read() {
      return true;
    }
  }

  private static Interleavings interleavings(Class<?> operations) {
    return new Interleavings(operations, InOrder.class)
        .of(List.of(), List.of(List.of("read"), List.of("write")), List.of("beat", "read"))
        .of(List.of("read"), List.of(List.of("beat"), List.of("writeUnheard")), List.of("read"))
        .of(
            List.of("read", "writeUnheard"),
            List.of(List.of("read"), List.of("beat")),
            List.of("read"));
  }

  @Test
  void nothingIsServedThatIsOlderThanTheBound() {
    interleavings(Operations.class).check();
  }

  @Test
  void stampTakenAfterTheFetchIsCaught() {
    assertThatThrownBy(() -> interleavings(StampAfterFetch.class).check())
        .isInstanceOf(LincheckAssertionError.class);
  }

  @Test
  void proofCountedFromItsAnswerIsCaught() {
    assertThatThrownBy(() -> interleavings(ProofFromAnswer.class).check())
        .isInstanceOf(LincheckAssertionError.class);
  }
}
