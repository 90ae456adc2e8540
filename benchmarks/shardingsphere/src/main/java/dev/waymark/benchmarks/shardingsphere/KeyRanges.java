package dev.waymark.benchmarks.shardingsphere;

import com.google.common.collect.Range;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.shardingsphere.sharding.api.sharding.standard.PreciseShardingValue;
import org.apache.shardingsphere.sharding.api.sharding.standard.RangeShardingValue;
import org.apache.shardingsphere.sharding.api.sharding.standard.StandardShardingAlgorithm;

/** Ranges of keys of one width, the first from 1: a class, which is faster than an expression. */
public final class KeyRanges implements StandardShardingAlgorithm<Long> {
  private long width;
  private String[] names;

  @Override
  public void init(Properties properties) {
    width = Long.parseLong(properties.getProperty("width"));
    names = properties.getProperty("names").split(",");
  }

  @Override
  public String doSharding(Collection<String> targets, PreciseShardingValue<Long> key) {
    return names[(int) ((((Number) key.getValue()).longValue() - 1) / width)];
  }

  @Override
  public Collection<String> doSharding(Collection<String> targets, RangeShardingValue<Long> keys) {
    Range<Long> range = keys.getValueRange();
    long from = range.hasLowerBound() ? number(range.lowerEndpoint()) : 1;
    long to = range.hasUpperBound() ? number(range.upperEndpoint()) : width * names.length;
    List<String> found = new ArrayList<>();
    for (int i = 0; i < names.length; i++) {
      if (from <= (i + 1) * width && to > i * width) {
        found.add(names[i]);
      }
    }
    return found;
  }

  /** Literals come as Integer, whatever the type parameter says. */
  private static long number(Object endpoint) {
    return ((Number) endpoint).longValue();
  }
}
