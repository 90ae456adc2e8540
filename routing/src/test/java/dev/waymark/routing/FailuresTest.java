package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.net.SocketTimeoutException;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FailuresTest {
  @ParameterizedTest
  @ValueSource(strings = {"08006", "08001", "57P01", "57P02", "57P03"})
  void lostConnectionsAndShutdownsAreOfTheNode(String state) {
    assertThat(Failures.isOfNode(new SQLException("gone", state))).isTrue();
    assertThat(Failures.isOfNode(new RuntimeException(new SQLException("gone", state)))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"23505", "40001", "57014", "25006"})
  void errorsOfAStatementAreNot(String state) {
    assertThat(Failures.isOfNode(new SQLException("no", state))).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"23505", "23514", "40001", "25P02", "P0001"})
  void anErrorThatOnlyCommitCanMeetMeansNothingWasWritten(String state) {
    assertThat(Failures.isOfCommitAlone(new SQLException("no", state))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"57014", "08006", "57P01", "53200", "XX000"})
  void anErrorThatMayHaveMetTheQuestionBehindTheCommitLeavesTheOutcomeOpen(String state) {
    assertThat(Failures.isOfCommitAlone(new SQLException("no", state))).isFalse();
  }

  @Test
  void aTimeoutIsToldFromALostConnection() {
    SQLException slow = new SQLException("i/o", "08006", new SocketTimeoutException("read"));

    assertThat(Failures.isTimeout(slow)).isTrue();
    assertThat(Failures.isTimeout(new SQLException("gone", "08006"))).isFalse();
  }

  @Test
  void aPoolThatGivesNoConnectionIsOfTheNode() {
    assertThat(Failures.isOfNode(new SQLTransientConnectionException("timed out"))).isTrue();
  }

  @Test
  void anotherCallsFailureInsideTheWorkIsNotOfThisNode() {
    SQLException gone = new SQLException("gone", "08006");

    assertThat(Failures.isOfNode(new WaymarkException("other shard", Outcome.NOT_SENT, gone)))
        .isFalse();
  }

  @Test
  void anEndlessChainOfCausesEnds() {
    RuntimeException first = new RuntimeException("first");
    first.initCause(new RuntimeException("second", first));

    assertThat(Failures.isOfNode(first)).isFalse();
  }
}
