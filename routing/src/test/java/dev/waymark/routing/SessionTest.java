package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Consistency;
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

  private Session session() {
    return new Session(
        bound,
        SessionTokenFormat.unsigned(),
        Consistency.session(),
        SessionToken.empty(),
        System::nanoTime);
  }
}
