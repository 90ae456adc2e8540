package dev.waymark.cache;

import java.util.List;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;

/**
 * Lets Lincheck switch between threads at every shared access of ours, for scenarios whose
 * operations are public methods without parameters. Caffeine's own are not entered.
 */
final class Interleavings {
  /** How many ways of switching are tried for one scenario. */
  private static final int WAYS = 1_000;

  private final Class<?> operations;
  private final ModelCheckingOptions options = new ModelCheckingOptions();

  /**
   * @param operations what threads do; a new one is made for each way of switching
   * @param expected the same methods, with what they return if they run one after the other
   */
  Interleavings(Class<?> operations, Class<?> expected) {
    this.operations = operations;
    options
        .iterations(0)
        .invocationsPerIteration(WAYS)
        .minimizeFailedScenario(false)
        .sequentialSpecification(expected)
        .addGuarantee(
            ManagedStrategyGuaranteeKt.forClasses(
                    name -> name.startsWith("com.github.benmanes.caffeine"))
                .allMethods()
                .treatAsAtomic());
  }

  /** One scenario: what is done before, by each of the threads, and after. */
  Interleavings of(List<String> before, List<List<String>> threads, List<String> after) {
    options.addCustomScenario(
        new ExecutionScenario(
            actors(before), threads.stream().map(this::actors).toList(), actors(after), null));
    return this;
  }

  private List<Actor> actors(List<String> names) {
    return names.stream()
        .map(
            name -> {
              try {
                return new Actor(operations.getMethod(name), List.of());
              } catch (NoSuchMethodException misspelt) {
                throw new IllegalArgumentException(misspelt);
              }
            })
        .toList();
  }

  /**
   * @throws LincheckAssertionError with the interleaving, if one returns what was not expected
   */
  void check() {
    options.check(operations);
  }
}
