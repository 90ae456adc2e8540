package dev.waymark.routing;

import java.util.List;

/** The open answers of the shards to one query; closing them gives everything back, once. */
final class ShardAnswers implements AutoCloseable {
  private final List<ShardRows> all;
  private final Runnable afterwards;
  private boolean isClosed;

  ShardAnswers(List<ShardRows> all, Runnable afterwards) {
    this.all = List.copyOf(all);
    this.afterwards = afterwards;
  }

  int size() {
    return all.size();
  }

  ShardRows get(int shard) {
    return all.get(shard);
  }

  boolean isClosed() {
    return isClosed;
  }

  @Override
  public void close() {
    if (!isClosed) {
      isClosed = true;
      try {
        all.forEach(ShardRows::close);
      } finally {
        afterwards.run();
      }
    }
  }
}
