package dev.waymark.history;

import dev.waymark.Transaction;
import dev.waymark.history.Operation.Kind;
import java.sql.Connection;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/** Registers read through a cache: ours, or another one that is held to the same rules. */
interface CachedRegisters extends AutoCloseable {
  /**
   * One register.
   *
   * @param version grows by one with each write
   * @param writer which write made it
   */
  record Register(long version, long writer) {}

  /**
   * An answer.
   *
   * @param kind what the answer promises
   */
  record Seen(Register register, Kind kind) {}

  /** What a write does to the cache. */
  enum Change {
    /** The old value goes. */
    INVALIDATE,
    /** The new value takes its place. */
    PUT
  }

  /** Reads a register, for the session that is bound to the thread, if any. */
  Seen read(long key);

  /** Says, within a transaction, what it makes of a register. */
  void changed(Transaction transaction, long key, Register register, Change change);

  /** Whether the shared tier is in use; always true for a cache that does not tell. */
  boolean isUp();

  /** Empties the process' own memory. */
  void forgetOwnMemory();

  @Override
  void close();

  /** Reads a row, to be kept or to be compared. */
  interface Rows {
    Register read(Connection connection, long key) throws SQLException;
  }

  /** Called between a load and what is made of it, so that there is something to race with. */
  interface Dawdle {
    void dawdle();
  }

  /** A register that is not there. */
  static Register orAbsent(@Nullable Register register) {
    return register == null ? new Register(0, 0) : register;
  }
}
