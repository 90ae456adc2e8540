package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ServerWatchTest {
  private final TestTime time = new TestTime();
  private final Queue<CompletableFuture<ServerWatch.Answer>> questions = new ArrayDeque<>();
  private final ServerWatch watch =
      new ServerWatch(
          () -> {
            CompletableFuture<ServerWatch.Answer> question = new CompletableFuture<>();
            questions.add(question);
            return question;
          },
          time);

  @Test
  void serverIsUnknownUntilItHasAnswered() {
    assertThat(watch.known()).isNull();
    assertThat(watch.known()).isNull();
    assertThat(questions).hasSize(1);
    answer("a");
    assertThat(known().id()).isEqualTo("a");
  }

  @Test
  void newConnectionEndsWhatWasKnown() {
    become("a");
    ServerWatch.Server before = known();
    watch.connected();
    assertThat(watch.stillHolds(before)).isFalse();
    assertThat(watch.known()).isNull();
    answer("b");
    assertThat(known().id()).isEqualTo("b");
    assertThat(watch.stillHolds(known())).isTrue();
  }

  @Test
  void answerThatWasAskedForBeforeAConnectionWasMadeIsNotBelieved() {
    assertThat(watch.known()).isNull();
    watch.connected();
    answer("a");
    assertThat(watch.known()).isNull();
  }

  @Test
  void answerIsRenewedInTheBackgroundAndRunsOut() {
    become("a");
    time.pass(Duration.ofMillis(99));
    assertThat(known().id()).isEqualTo("a");
    assertThat(questions).isEmpty();
    time.pass(Duration.ofMillis(1));
    assertThat(known().id()).isEqualTo("a");
    assertThat(questions).hasSize(1);
    time.pass(Duration.ofMillis(400));
    assertThat(watch.known()).isNull();
    answer("a");
    // It was asked for 400 ms ago, and says nothing of what has been since.
    assertThat(known().id()).isEqualTo("a");
    time.pass(Duration.ofMillis(100));
    assertThat(watch.known()).isNull();
  }

  @Test
  void serverThatFailsToAnswerAsAReplicaDoesIsNotBelievedAnyMore() {
    become("a");
    time.pass(Duration.ofMillis(100));
    ServerWatch.Server before = known();
    assertThat(watch.stillHolds(before)).isTrue();
    Objects.requireNonNull(questions.poll())
        .completeExceptionally(new IllegalStateException("it is a replica"));
    assertThat(watch.stillHolds(before)).isFalse();
    assertThat(watch.known()).isNull();
  }

  @Test
  void serverThatDoesNotAnswerIsAskedAgain() {
    assertThat(watch.known()).isNull();
    Objects.requireNonNull(questions.poll()).completeExceptionally(new IllegalStateException());
    assertThat(watch.known()).isNull();
    answer("a");
    assertThat(known().id()).isEqualTo("a");
  }

  @Test
  void clockOfTheServerIsNeverTakenToBeEarlierThanItIs() {
    assertThat(watch.known()).isNull();
    // It may have looked at its clock right after it was asked.
    time.pass(Duration.ofMillis(30));
    Objects.requireNonNull(questions.poll()).complete(new ServerWatch.Answer("a", 1_000));
    assertThat(known().latestMillis(time.nanos())).isEqualTo(1_031);
    time.pass(Duration.ofMillis(20));
    assertThat(known().latestMillis(time.nanos())).isEqualTo(1_051);
  }

  private void become(String id) {
    assertThat(watch.known()).isNull();
    answer(id);
  }

  private void answer(String id) {
    Objects.requireNonNull(questions.poll()).complete(new ServerWatch.Answer(id, 1_000));
  }

  private ServerWatch.Server known() {
    return Objects.requireNonNull(watch.known());
  }
}
