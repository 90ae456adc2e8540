package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LoadPlanTest {
  private static final URI HERE = URI.create("http://127.0.0.1:7070");

  @Test
  void theDefaults() {
    assertThat(LoadPlan.parse()).contains(LoadPlan.of(HERE));
    assertThat(LoadPlan.of(HERE))
        .isEqualTo(
            new LoadPlan(
                List.of(HERE), 16, 0, Optional.of(Duration.ofSeconds(30)), 10, 0, 100, 1, 1));
  }

  @Test
  void theDemosOwnRequestsGiveTheReplicasSomethingToDo() {
    assertThat(DemoTraffic.plan(HERE))
        .isEqualTo(new LoadPlan(List.of(HERE), 8, 200, Optional.empty(), 10, 40, 100, 1, 1));
  }

  @Test
  void everyArgument() {
    assertThat(
            LoadPlan.parse(
                "--url",
                "http://a:1",
                "--url",
                "https://b/",
                "--clients",
                "2",
                "--rate",
                "50",
                "--seconds",
                "0",
                "--writes",
                "20",
                "--orders",
                "5",
                "--users",
                "7",
                "--skew",
                "0.8",
                "--seed",
                "9"))
        .contains(
            new LoadPlan(
                List.of(URI.create("http://a:1"), URI.create("https://b")),
                2,
                50,
                Optional.empty(),
                20,
                5,
                7,
                0.8,
                9));
  }

  @Test
  void aHostThatNoUrlCanHaveIsRefused() {
    assertThatThrownBy(() -> LoadPlan.parse("--url", "http://a_b:1"))
        .hasMessage("--url must look like http://host:7070, not 'http://a_b:1'.");
    assertThat(LoadPlan.parse("--url", "http://[::1]:7070/").orElseThrow().urls().get(0).getHost())
        .isEqualTo("[::1]");
  }

  @Test
  void helpWinsOverWhatElseIsSaid() {
    assertThat(LoadPlan.parse("--clients", "x", "--help")).isEmpty();
  }

  @Test
  void everyProblemIsReported() {
    assertThatThrownBy(
            () ->
                LoadPlan.parse(
                    "--uri",
                    "--url",
                    "b:1",
                    "--clients",
                    "0",
                    "--writes",
                    "60",
                    "--orders",
                    "50",
                    "--skew",
                    "-1",
                    "--users"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            There is no argument '--uri'.
            --url must look like http://host:7070, not 'b:1'.
            --clients must be a whole number from 1 to 1000, not '0'.
            --skew must be a number from 0 to 10, not '-1'.
            --users must be a whole number from 1 to 1000000, not ''.
            --writes and --orders are more than 100 together.""");
  }
}
