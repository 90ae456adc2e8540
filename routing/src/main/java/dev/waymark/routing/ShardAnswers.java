package dev.waymark.routing;

import java.sql.SQLException;
import java.util.List;

/** The open answers of the shards to one query; closing them gives everything back, once. */
final class ShardAnswers implements AutoCloseable {
  private final List<ShardRows> all;
  private final FanOut.Canceller canceller;
  private final Runnable afterwards;
  private boolean isClosed;

  ShardAnswers(List<ShardRows> all, FanOut.Canceller canceller, Runnable afterwards) {
    this.all = List.copyOf(all);
    this.canceller = canceller;
    this.afterwards = afterwards;
  }

  int size() {
    return all.size();
  }

  ShardRows get(int shard) {
    return all.get(shard);
  }

  /**
   * What is still to be sent is not sent any more, whether somebody waits for it just then or not.
   */
  void refuseIfCancelled() throws SQLException {
    if (canceller.isCancelled() && all.stream().anyMatch(ShardRows::isStreamed)) {
      throw FanOut.Canceller.cancelled();
    }
  }

  /** A failure while rows are read, which may be the canceller's doing. */
  SQLException told(SQLException failure) {
    return canceller.told(failure);
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
