package dev.waymark.sample;

import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * What came of a load. Print it.
 *
 * @param took from the first request to the last answer
 * @param readMicros how long reads took, failed ones included
 * @param readsByTier who knew the user that was read: {@code L1}, {@code L2} or {@code DATABASE}
 * @param readsByNode which node was asked, of those that were
 * @param errors what went wrong, and how often: a status with the answer's code, or the failure of
 *     the connection
 */
record LoadReport(
    Duration took,
    int clients,
    Histogram readMicros,
    Histogram writeMicros,
    Map<String, Long> readsByTier,
    Map<String, Long> readsByNode,
    Map<String, Long> writesByNode,
    Map<String, Long> errors) {

  long requests() {
    return readMicros.getTotalCount() + writeMicros.getTotalCount();
  }

  long failed() {
    return errors.values().stream().mapToLong(Long::longValue).sum();
  }

  double perSecond() {
    return took.isZero() ? 0 : requests() / (took.toNanos() / 1e9);
  }

  /** Several lines of text. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    line(
        text,
        "%,d requests in %.1f s by %d clients: %,.0f requests/s, %.1f %% writes, %,d failed",
        requests(),
        took.toNanos() / 1e9,
        clients,
        perSecond(),
        percent(writeMicros.getTotalCount(), requests()),
        failed());
    line(text, "");
    line(text, "milliseconds      p50      p90      p99    p99.9      max");
    latency(text, "reads", readMicros);
    latency(text, "writes", writeMicros);
    line(text, "");
    line(text, "users read from");
    long answered = readsByTier.values().stream().mapToLong(Long::longValue).sum();
    for (String tier : new String[] {"L1", "L2", "DATABASE"}) {
      long reads = readsByTier.getOrDefault(tier, 0L);
      line(text, "  %-12s %,10d  %5.1f %%", tier, reads, percent(reads, answered));
    }
    line(text, "");
    line(text, "node              reads      share     writes");
    long asked = readsByNode.values().stream().mapToLong(Long::longValue).sum();
    Map<String, Long> nodes = new TreeMap<>(readsByNode);
    writesByNode.forEach((node, writes) -> nodes.putIfAbsent(node, 0L));
    nodes.forEach(
        (node, reads) ->
            line(
                text,
                "  %-12s %,8d    %5.1f %%   %,8d",
                node,
                reads,
                percent(reads, asked),
                writesByNode.getOrDefault(node, 0L)));
    if (!errors.isEmpty()) {
      line(text, "");
      line(text, "failed");
      new TreeMap<>(errors).forEach((what, times) -> line(text, "  %,8d  %s", times, what));
    }
    return text.toString();
  }

  private static void latency(StringBuilder text, String what, Histogram micros) {
    if (micros.getTotalCount() == 0) {
      line(text, "  %-10s      none", what);
      return;
    }
    line(
        text,
        "  %-10s %8.2f %8.2f %8.2f %8.2f %8.2f",
        what,
        micros.getValueAtPercentile(50) / 1e3,
        micros.getValueAtPercentile(90) / 1e3,
        micros.getValueAtPercentile(99) / 1e3,
        micros.getValueAtPercentile(99.9) / 1e3,
        micros.getMaxValue() / 1e3);
  }

  private static double percent(long part, long whole) {
    return whole == 0 ? 0 : 100.0 * part / whole;
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
