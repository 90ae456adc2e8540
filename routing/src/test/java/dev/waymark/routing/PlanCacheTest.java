package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class PlanCacheTest {
  private final AtomicInteger made = new AtomicInteger();

  private Plan plan(PlanCache<Plan> cache, String sql, long version) {
    Planner planner =
        new Planner(
            SmallCatalogue.TABLES,
            SqlCatalogue.of(
                version,
                new SqlCatalogue.Rows(
                    java.util.List.of(),
                    java.util.List.of(),
                    java.util.List.of(),
                    java.util.Set.of(),
                    java.util.Set.of(),
                    java.util.Set.of(),
                    java.util.Map.of(),
                    java.util.List.of())),
            SqlScanner.Backslash.LITERAL,
            SmallCatalogue.READER);
    return cache.get(
        sql,
        version,
        text -> {
          made.incrementAndGet();
          return planner.plan(text, SqlScanner.Markers.JDBC);
        });
  }

  @Test
  void aTextIsPlannedOnce() {
    PlanCache<Plan> cache = new PlanCache<>(10, 1_000, Plan::catalogueVersion);

    assertThat(plan(cache, "SELECT 1", 1)).isSameAs(plan(cache, "SELECT 1", 1));
    assertThat(made).hasValue(1);
  }

  @Test
  void anotherCatalogueMakesAnotherPlan() {
    PlanCache<Plan> cache = new PlanCache<>(10, 1_000, Plan::catalogueVersion);
    plan(cache, "SELECT 1", 1);

    assertThat(plan(cache, "SELECT 1", 2).catalogueVersion()).isEqualTo(2);
    assertThat(made).hasValue(2);
    assertThat(cache.size()).isEqualTo(1);
  }

  @Test
  void whatIsInUseStaysIn() {
    PlanCache<Plan> cache = new PlanCache<>(10, 100_000, Plan::catalogueVersion);
    for (int i = 0; i < 1_000; i++) {
      plan(cache, "SELECT " + i, 1);
      plan(cache, "SELECT 'in use'", 1);
    }

    assertThat(made).hasValue(1_001);
  }

  @Property(tries = 20)
  void itNeverHoldsMoreThanItMay(@ForAll @IntRange(min = 2, max = 40) int maximum) {
    PlanCache<Plan> cache = new PlanCache<>(maximum, 1_000, Plan::catalogueVersion);
    for (int i = 0; i < 200; i++) {
      plan(cache, "SELECT " + i % 60, 1);
      assertThat(cache.size()).isLessThanOrEqualTo(maximum);
    }
  }

  @Test
  void longTextsAreNotKept() {
    PlanCache<Plan> cache = new PlanCache<>(10, 100, Plan::catalogueVersion);
    plan(cache, "SELECT '" + "x".repeat(60) + "'", 1);

    assertThat(cache.size()).isZero();
  }

  @Test
  void itHoldsSomething() {
    assertThatThrownBy(() -> new PlanCache<>(1, 10, Plan::catalogueVersion))
        .hasMessage("A plan cache holds at least 2 plans, not 1");
    assertThatThrownBy(() -> new PlanCache<>(10, 1, Plan::catalogueVersion))
        .hasMessage("A plan cache holds at least 2 characters, not 1");
  }
}
