package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.SessionToken;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.junit.jupiter.api.Test;

/** {@link SingleFlight} under every way of switching between threads. */
class SingleFlightInterleavingsIT {
  /** What threads do with one key. A value is the number of the change that it shows. */
  public static class Operations {
    private final SingleFlight<String, Integer> flights = new SingleFlight<>();
    private final AtomicInteger loading = new AtomicInteger();

    private volatile int changed;
    private volatile int stamp;

    /** A change, and that it was heard of. One thread only. */
    public void change() {
      changed++;
      stamp++;
    }

    int told(int known) {
      return known;
    }

    /** Whether the answer shows every change that was heard of before. */
    public boolean load() {
      int known = stamp;
      SingleFlight.Flight<Integer> flight =
          flights.enter("key", told(known), Seen.nothing(), SessionToken.empty(), 0);
      if (!flight.isLedByThisThread()) {
        return flight.join().answer().value() >= known;
      }
      try {
        int value = changed;
        flight.land(new CacheAnswer<>(value, CacheAnswer.Tier.DATABASE, null, null), null);
        return value >= known;
      } finally {
        flights.leave("key", flight);
      }
    }

    /** Whether nobody else loads while this thread does; no change may come in between. */
    public boolean loadAlone() {
      SingleFlight.Flight<Integer> flight =
          flights.enter("key", 0, Seen.nothing(), SessionToken.empty(), 0);
      if (!flight.isLedByThisThread()) {
        flight.join();
        return true;
      }
      boolean alone = loading.incrementAndGet() == 1;
      loading.decrementAndGet();
      flights.leave("key", flight);
      flight.land(new CacheAnswer<>(0, CacheAnswer.Tier.DATABASE, null, null), null);
      return alone;
    }
  }

  /** A caller that does not tell what it knows. */
  public static class UntoldStamps extends Operations {
    @Override
    int told(int known) {
      return 0;
    }
  }

  /** What they return one after the other. */
  public static class InOrder {
    public void change() {}

    public boolean load() {
      return true;
    }

    public boolean loadAlone() {
      return true;
    }
  }

  private static Interleavings loadsBesideAChange(Class<?> operations) {
    return new Interleavings(operations, InOrder.class)
        .of(List.of(), List.of(List.of("load"), List.of("change", "load")), List.of("load"));
  }

  @Test
  void loadFromBeforeAChangeThatTheCallerKnowsIsNotJoined() {
    loadsBesideAChange(Operations.class).check();
  }

  @Test
  void callerThatDoesNotTellWhatItKnowsIsCaught() {
    assertThatThrownBy(() -> loadsBesideAChange(UntoldStamps.class).check())
        .isInstanceOf(LincheckAssertionError.class);
  }

  @Test
  void oneLoadIsUnderWayAtATime() {
    new Interleavings(Operations.class, InOrder.class)
        .of(
            List.of(),
            List.of(List.of("loadAlone"), List.of("loadAlone"), List.of("loadAlone")),
            List.of("loadAlone"))
        .check();
  }
}
