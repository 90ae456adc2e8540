package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ClusterBuilderTest {

  @Test
  void settingsThatDecideWhereANodeIsAreRefusedAtOnce() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().setting("port", "5432"))
        .withMessage("Setting 'port' is the cluster's own: it decides where its servers are");
  }

  @Test
  void settingNamesThatPostgresCannotKnowAreRefusedAtOnce() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().setting("work_mem = 1\nport", "5432"))
        .withMessageContaining("is not the name of a PostgreSQL setting");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().setting("work_mem", "1\nport=5432"))
        .withMessage("The value of setting 'work_mem' has a line break");
  }

  @Test
  void databaseNamesThatNeedQuotingAreRefusedAtOnce() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().database("App"))
        .withMessageStartingWith("'App' is no name for the database");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().database("postgres"));
  }

  @Test
  void countsOutOfRangeAreRefusedAtOnce() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().shards(-1))
        .withMessage("A cluster cannot have -1 shards");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TestCluster.builder().replicas(26))
        .withMessage("26 replicas per shard are not in 0..25");
  }

  @Test
  void valuesAreQuotedForTheConfigurationFile() {
    assertThatThrownBy(() -> new Address(" ", 1)).isInstanceOf(IllegalArgumentException.class);
    org.assertj.core.api.Assertions.assertThat(
            PostgresSettings.assignment("application_name", "it's"))
        .isEqualTo("application_name = 'it''s'\n");
  }
}
