package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class ConfigReaderPropertiesTest {
  private static final int WIDTH = 100;

  /** What can be wrong with a line of the ranges. */
  enum RangeFault {
    NONE,
    UNKNOWN_SHARD,
    UNKNOWN_SETTING,
    GAP,
    OVERLAP,
    EMPTY,
    NOT_A_NUMBER;

    boolean isOfBounds() {
      return ordinal() >= GAP.ordinal();
    }
  }

  /** What can be wrong elsewhere, each on a line of its own. */
  enum OtherFault {
    VERSION("version: none"),
    SERVER_TWICE("  more: {nodes: [{url: 'jdbc:postgresql://pg0/app'}]}"),
    NODE_WITHOUT_URL("  empty: {nodes: [{name: pg}]}"),
    VARIABLE("credentials: {user: app, password: '${MISSING}'}"),
    SETTING("pool: {length: 10}"),
    DURATION("calls: {deadline: 10}"),
    TOO_SHORT("monitor: {timeout: 1ms}"),
    WRONG_KIND("errors: [full]"),
    SECRET("session: {secret: short}");

    private final String line;

    OtherFault(String line) {
      this.line = line;
    }
  }

  @Property(tries = 250)
  void eachPlantedFaultIsReportedAtItsLineAndNothingElseIs(
      @ForAll("rangeFaults") List<RangeFault> ranges, @ForAll Set<OtherFault> others) {
    List<String> lines = new ArrayList<>();
    List<Integer> expected = new ArrayList<>();
    write(lines, expected, others, OtherFault.VERSION, "version: 1");
    lines.add("shards:");
    for (int i = 0; i < 3; i++) {
      lines.add("  shard-%1$d: {nodes: [{url: 'jdbc:postgresql://pg%1$d/app'}]}".formatted(i));
    }
    write(lines, expected, others, OtherFault.SERVER_TWICE, "");
    write(lines, expected, others, OtherFault.NODE_WITHOUT_URL, "");
    lines.add("ranges:");
    for (int i = 0; i < ranges.size(); i++) {
      lines.add(range(i, ranges.get(i)));
      if (ranges.get(i) != RangeFault.NONE) {
        expected.add(lines.size());
      }
    }
    write(lines, expected, others, OtherFault.VARIABLE, "credentials: {user: app}");
    for (OtherFault fault : OtherFault.values()) {
      if (fault.compareTo(OtherFault.VARIABLE) > 0) {
        write(lines, expected, others, fault, "");
      }
    }

    assertThat(problems(String.join("\n", lines), Map.of()))
        .extracting(ConfigurationException.Problem::line)
        .isEqualTo(expected);
  }

  private static void write(
      List<String> lines,
      List<Integer> expected,
      Set<OtherFault> planted,
      OtherFault fault,
      String sound) {
    lines.add(planted.contains(fault) ? fault.line : sound);
    if (planted.contains(fault)) {
      expected.add(lines.size());
    }
  }

  private static String range(int i, RangeFault fault) {
    int from = i * WIDTH;
    int to = from + WIDTH;
    String shard = "shard-" + i % 3;
    return switch (fault) {
      case NONE -> "  - {from: %d, to: %d, shard: %s}".formatted(from, to, shard);
      case UNKNOWN_SHARD -> "  - {from: %d, to: %d, shard: nowhere}".formatted(from, to);
      case UNKNOWN_SETTING ->
          "  - {from: %d, to: %d, shard: %s, weight: 1}".formatted(from, to, shard);
      case GAP -> "  - {from: %d, to: %d, shard: %s}".formatted(from + 1, to, shard);
      case OVERLAP -> "  - {from: %d, to: %d, shard: %s}".formatted(from - 1, to, shard);
      case EMPTY -> "  - {from: %d, to: %d, shard: %s}".formatted(from, from, shard);
      case NOT_A_NUMBER -> "  - {from: %d, to: %dk, shard: %s}".formatted(from, to, shard);
    };
  }

  /** No two neighbours with broken bounds: of those, one may rightly keep the other quiet. */
  @Provide
  Arbitrary<List<RangeFault>> rangeFaults() {
    return Arbitraries.of(RangeFault.class)
        .list()
        .ofMinSize(1)
        .ofMaxSize(12)
        .map(
            drawn -> {
              List<RangeFault> faults = new ArrayList<>();
              for (RangeFault fault : drawn) {
                RangeFault before =
                    faults.isEmpty() ? RangeFault.EMPTY : faults.get(faults.size() - 1);
                faults.add(fault.isOfBounds() && before.isOfBounds() ? RangeFault.NONE : fault);
              }
              return faults;
            });
  }

  /** Every setting once, with VALUE for its value. */
  private static final List<String> EVERY_SETTING =
      List.of(
          "version: VALUE",
          "tables: {t: {key: VALUE, broadcast: maybe}}",
          "tables: {t: {broadcast: VALUE}}",
          "shards: {a: {nodes: [{url: VALUE}, {url: VALUE}]}}",
          "shards: {a: {nodes: [{url: 'jdbc:postgresql://VALUE/x'}, {url: 'jdbc:postgresql://VALUE/y'}]}}",
          "shards: {a: {nodes: [{url: 'jdbc:postgresql://pg1/x', name: VALUE}, {url: 'jdbc:postgresql://pg2/x', name: VALUE}]}}",
          "ranges: [{from: VALUE, to: 0, shard: VALUE}]",
          "ranges: [{from: 0, to: VALUE, shard: a}, {from: VALUE, to: max, shard: b}]",
          "ranges: [{from: 0, to: 1, shard: a}, {from: VALUE, to: max, shard: b}]",
          "ranges: [{from: 0, to: VALUE, shard: a}, {from: 1, to: max, shard: b}]",
          "credentials: {user: VALUE, password: VALUE}",
          "pool: {size: VALUE, connectTimeout: VALUE, acquireTimeout: VALUE}",
          "calls: {deadline: VALUE, consistency: VALUE}",
          "calls: {consistency: 'boundedStaleness(VALUE)'}",
          "monitor: {interval: VALUE, timeout: VALUE}",
          "session: {secret: VALUE}",
          "errors: {keys: VALUE}",
          "redis: {url: VALUE, user: VALUE, password: VALUE, trustStore: VALUE}",
          "redis: {url: 'redis://VALUE', trustStore: VALUE, timeout: VALUE, namespace: 'VALUE '}");

  @Property(tries = 300)
  void valueFromTheEnvironmentIsInNoMessage(
      @ForAll("settings") String settings, @ForAll("secrets") String secret) {
    String yaml =
        ("shards: {s: {nodes: [{url: 'jdbc:postgresql://pg0/x'}]}}\n" + settings)
            .replace(" VALUE", " 'VALUE'")
            .replace("VALUE", "${SECRET}");

    for (ConfigurationException.Problem problem : problems(yaml, Map.of("SECRET", secret))) {
      // Of most secrets the whole would not be recognised: a duration is printed in milliseconds.
      assertThat(problem.message()).doesNotContain("31415").doesNotContain("hunter");
    }
  }

  @Property(tries = 300)
  void noTextMakesTheReaderFailInAnyOtherWay(@ForAll("texts") String text) {
    problems(text, Map.of());
    problems("ranges: [" + text + "]", Map.of());
    problems("shards:\n  a: {nodes: [{url: \"" + text + "\"}]}", Map.of());
  }

  /** Anything, and what YAML gives a meaning to. */
  @Provide
  Arbitrary<String> texts() {
    return Arbitraries.oneOf(
        Arbitraries.strings().ofMaxLength(30),
        Arbitraries.strings().withChars("{}[],:-?!&*#|>%@`'\"\\$~<. \n\tabxuU0F9").ofMaxLength(60));
  }

  @Provide
  Arbitrary<String> settings() {
    return Arbitraries.of(EVERY_SETTING);
  }

  @Provide
  Arbitrary<String> secrets() {
    return Arbitraries.oneOf(
        Arbitraries.of(
            "31415",
            "-31415",
            "31415ms",
            "031415",
            "31415d",
            "-31415s",
            "0.31415",
            "31415_",
            "[31415]",
            "jdbc:postgresql://31415",
            "jdbc:postgresql://hunter:31415@pg/x",
            "redis://hunter:31415@pg",
            "jdbc:postgresql://pg0:31415/x",
            "hunter, not 31415",
            "31415\nhunter",
            "${hunter}"),
        Arbitraries.strings().ascii().ofMaxLength(20).map(text -> "hunter" + text),
        Arbitraries.strings().ascii().ofMaxLength(20).map(text -> text + "hunter"));
  }

  private static List<ConfigurationException.Problem> problems(
      String yaml, Map<String, String> environment) {
    ConfigurationException refused =
        catchThrowableOfType(
            ConfigurationException.class,
            () -> WaymarkConfig.parse(yaml, "waymark.yaml", environment::get));
    return refused == null ? List.of() : refused.problems();
  }
}
