package dev.waymark.routing;

import static dev.waymark.routing.Views.at;
import static dev.waymark.routing.Views.unseen;
import static dev.waymark.routing.Views.up;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Consistency;
import dev.waymark.Role;
import dev.waymark.SessionToken;
import dev.waymark.SessionTokenFormat;
import io.micrometer.context.ContextExecutorService;
import io.micrometer.context.ContextRegistry;
import io.micrometer.context.ContextSnapshotFactory;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Sessions follow their work from thread to thread, and leave no thread as its session. */
class SessionTest {
  private final ThreadLocal<@Nullable Session> bound = new ThreadLocal<>();
  private final Session session = session();
  private final ExecutorService executor = Executors.newSingleThreadExecutor();

  @AfterEach
  void stop() {
    executor.shutdownNow();
    assertThat(bound.get()).isNull();
  }

  @Test
  void bindingsNestAndAreUndone() {
    Session inner = session();
    try (Session.Binding outer = session.bind()) {
      try (Session.Binding nested = inner.bind()) {
        assertThat(bound.get()).isSameAs(inner);
      }
      assertThat(bound.get()).isSameAs(session);
    }
  }

  @Test
  void wrappedWorkRunsInTheSessionAndLeavesTheThreadAsItWas() throws Exception {
    assertThat(executor.submit(session.wrap(() -> bound.get())).get()).isSameAs(session);
    assertThat(CompletableFuture.supplyAsync(bound::get, session.wrap((Executor) executor)).get())
        .isSameAs(session);
    assertThat(executor.submit(bound::get).get()).isNull();

    assertThatThrownBy(
            session.wrap(
                    (Runnable)
                        () -> {
                          throw new IllegalStateException("on purpose");
                        })
                ::run)
        .hasMessage("on purpose");
  }

  @Test
  void contextPropagationCarriesTheSession() throws Exception {
    ContextRegistry registry = new ContextRegistry();
    registry.registerThreadLocalAccessor(new SessionAccessor(bound, "test"));
    ContextSnapshotFactory snapshots =
        ContextSnapshotFactory.builder().contextRegistry(registry).clearMissing(true).build();
    ExecutorService carrying = ContextExecutorService.wrap(executor, snapshots::captureAll);

    try (Session.Binding binding = session.bind()) {
      assertThat(carrying.submit(bound::get).get()).isSameAs(session);
    }
    assertThat(carrying.submit(bound::get).get()).isNull();
  }

  @Test
  void sessionsFollowVirtualThreads() throws Exception {
    ExecutorService virtual;
    try {
      virtual =
          (ExecutorService)
              Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    } catch (NoSuchMethodException olderThan21) {
      Assumptions.abort("this JDK has no virtual threads");
      return;
    }
    try {
      assertThat(virtual.submit(session.wrap(() -> bound.get())).get()).isSameAs(session);
    } finally {
      virtual.shutdownNow();
    }
  }

  @Test
  void aMarkIsSettledByALaterLookAtItsOwnServerAndNotByAnEarlierOne() {
    ShardView view =
        up(up(unseen(3), 0, Role.PRIMARY, at(1, 100), 0L, 5), 1, Role.REPLICA, at(1, 50), 0L, 5);
    session.read(view.node(1), 10);
    // Told later, come earlier.
    session.read(view.node(1), 8);

    session.settle(up(view, 1, Role.REPLICA, at(1, 60), 0L, 9));
    assertThat(session.seen().marks()).hasSize(1);
    // A look at the primary does not do while the server itself is up: it may have been promoted.
    session.settle(up(view, 0, Role.PRIMARY, at(1, 110), 0L, 20));
    assertThat(session.seen().marks()).hasSize(1);

    session.settle(up(view, 1, Role.REPLICA, at(1, 70), 0L, 11));
    assertThat(session.seen().marks()).isEmpty();
    assertThat(session.seen().reads()).containsExactly(at(1, 70));
  }

  @Test
  void aMarkOnAServerThatIsDownIsSettledByThePrimary() {
    ShardView view =
        up(up(unseen(3), 0, Role.PRIMARY, at(1, 100), 0L, 5), 1, Role.REPLICA, at(1, 50), 0L, 5);
    session.read(view.node(1), 10);
    view = Views.down(view, 1);

    session.settle(view);
    assertThat(session.seen().marks()).hasSize(1);
    session.settle(up(view, 0, Role.PRIMARY, at(1, 120), 0L, 11));
    assertThat(session.seen().reads()).containsExactly(at(1, 120));
  }

  @Test
  void aMarkIsNotSettledByAReplicaThatMayNotKnowItsTimeline() {
    ShardView view =
        up(up(unseen(3), 0, Role.PRIMARY, at(2, 100), 0L, 5), 1, Role.REPLICA, at(1, 95), 0L, 5);
    session.read(view.node(1), 10);

    view = up(view, 1, Role.REPLICA, at(1, 97), 0L, 11);
    session.settle(view);
    assertThat(session.seen().marks()).hasSize(1);
    session.settle(up(view, 0, Role.PRIMARY, at(2, 120), 0L, 12));
    assertThat(session.seen().reads()).containsExactly(at(2, 120));
  }

  @Test
  void onlyWhatWasReadFromReplicasIsToBeShownByThePrimary() {
    ShardView view =
        up(up(unseen(3), 0, Role.PRIMARY, at(1, 100), 0L, 5), 1, Role.REPLICA, at(1, 50), 0L, 5);
    session.read(view.node(0), 6);
    assertThat(session.isAheadOfPrimary(Views.SYSTEM)).isFalse();
    session.read(view.node(1), 10);
    assertThat(session.isAheadOfPrimary(Views.SYSTEM)).isTrue();
    session.shownByPrimary(Views.SYSTEM, 9);
    assertThat(session.isAheadOfPrimary(Views.SYSTEM)).isTrue();
    session.shownByPrimary(Views.SYSTEM, 11);
    assertThat(session.isAheadOfPrimary(Views.SYSTEM)).isFalse();

    Session resumed = session();
    resumed.join(session.seen());
    assertThat(resumed.isAheadOfPrimary(Views.SYSTEM)).isTrue();
  }

  private Session session() {
    return new Session(
        bound,
        SessionTokenFormat.unsigned(),
        Consistency.session(),
        SessionToken.empty(),
        System::nanoTime);
  }
}
