package dev.waymark.routing;

import dev.waymark.ShardMap;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Somebody else's merge of the answers of several shards, for queries that the data source does not
 * merge itself. One is found by {@link java.util.ServiceLoader}, on the loader of this library;
 * {@code dev.waymark:waymark-shardingsphere} brings the only one there is, and applications have no
 * reason to write another.
 *
 * <p>It is asked only for what {@code docs/cross-shard.md} lists. Whatever it does, it never sees a
 * server: it says what each shard is to be asked, and gets values that it can compare. How the
 * question gets there (which node, for which session, until when) is not its affair.
 */
public interface CrossShardEngine {
  /**
   * Starts it, when the first query needs it, on a thread of its own. May take seconds.
   *
   * @throws SQLException if a shard could not be looked at. Nothing of the shards is held then; it
   *     is tried again some seconds later
   */
  Merger start(Layout layout) throws SQLException;

  /** What an engine is started over. Safe to share. */
  interface Layout {
    /** Shards, ranges and tables as they are now: to be asked again for each query. */
    ShardMap map();

    /**
     * Connects to a shard's primary, to look up tables and columns and for nothing else.
     *
     * @param shard its name
     * @return to be closed within {@code calls.deadline}
     * @throws SQLException if the primary cannot be reached
     */
    Connection connect(String shard) throws SQLException;
  }

  /** A started engine. Safe to share. */
  interface Merger extends AutoCloseable {
    /**
     * Answers a query: every value of every row is one that a shard answered with, null, or a
     * number made of such. If the thread is interrupted when it returns, nothing of it is used.
     *
     * @param sql one SELECT with question marks
     * @param parameters of the question marks, as things to be handed on: each is a {@link Number},
     *     which a key, LIMIT or OFFSET may be read from, and {@link Comparable}
     * @param shards asked on any thread
     * @throws SQLException if it does not understand the query, or what the shards threw
     */
    List<List<@Nullable Object>> merge(String sql, List<Object> parameters, Shards shards)
        throws SQLException;

    /** Gives everything back. Queries that run may fail. */
    @Override
    void close();
  }

  /** The shards, as one query finds them. Safe to share. */
  interface Shards {
    /**
     * Asks a shard, and waits for all of its rows.
     *
     * @param shard its name
     * @param sql what to ask, perhaps rewritten
     * @param parameters some of {@link Merger#merge}'s, or whole numbers
     * @throws SQLException if there is no answer; the query is over then
     */
    Answer ask(String shard, String sql, List<Object> parameters) throws SQLException;
  }

  /**
   * The rows of one shard.
   *
   * @param labels of the columns
   * @param rows values that compare, equal and hash as the server has it, and whose text is the
   *     number if they are one. They throw where only the server could tell
   */
  record Answer(List<String> labels, List<List<@Nullable Object>> rows) {
    /** Copies the labels; rows are handed over. */
    public Answer {
      labels = List.copyOf(labels);
    }
  }
}
