package dev.waymark.history;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * One call of one session, as its caller saw it.
 *
 * @param session the sessions of all processes have different numbers; 0 for a call without one
 * @param jvm the process that made the call
 * @param key the key read or written
 * @param version what was read, or what the write made of the key; 0 if the call failed
 * @param writer which write made the version that was read; a write's own number for a write
 * @param start when the call began, in nanoseconds of the machine's monotonic clock: all processes
 *     of one Linux machine share it
 * @param end when it returned; {@link #NEVER} if it did not
 */
record Operation(
    long session,
    int jvm,
    Kind kind,
    Result result,
    long key,
    long version,
    long writer,
    long start,
    long end) {

  static final long NEVER = Long.MAX_VALUE;

  /** What was called for. */
  enum Kind {
    WRITE,
    SESSION_READ,
    STRONG_READ,
    BOUNDED_READ,
    EVENTUAL_READ,
    /** Of a cache: answered by the process' own memory. */
    L1_READ,
    /**
     * Of a cache with L1: answered by Redis or a load, perhaps one that another caller had begun.
     */
    NEAR_READ,
    /** Of a cache without L1: answered by Redis. */
    L2_READ,
    /** Of a cache without L1: loaded from the primary. */
    LOADED_READ,
    /** Of a cache: loaded from a replica that is new enough for the session. */
    REPLICA_READ,
    /** Of a cache whose writers commit when Redis cannot be told: as old as the outage is long. */
    OWED_READ,
    /** Of a cache, when nothing fails and nobody writes any more. */
    REST_READ;

    boolean isRead() {
      return this != WRITE;
    }

    boolean isOfCache() {
      return ordinal() >= L1_READ.ordinal();
    }

    /** Whether it promises its session's own writes and never to go back. */
    boolean isOfSession() {
      return this != BOUNDED_READ && this != EVENTUAL_READ;
    }

    /**
     * Whether it shows, at some instant between begin and end, the newest of what is committed; so
     * it also proves that this was committed. A replica's answer does not: it may show a commit
     * that its primary still waits with, for the replica's own word that it has it.
     */
    boolean isLinearizable() {
      return this == STRONG_READ || this == L2_READ || this == LOADED_READ;
    }

    /** Whether it is held to the bound of L1. */
    boolean isBounded() {
      return this == L1_READ || this == NEAR_READ;
    }
  }

  /** How it ended. */
  enum Result {
    OK,
    NOT_SENT,
    REJECTED,
    /** Also of calls whose process was killed: they have no end. */
    UNKNOWN,
    /** The server's refusal to write on a replica reached the caller. */
    READ_ONLY
  }

  void write(DataOutputStream out) throws IOException {
    out.writeLong(session);
    out.writeByte(jvm);
    out.writeByte(kind.ordinal());
    out.writeByte(result.ordinal());
    out.writeLong(key);
    out.writeLong(version);
    out.writeLong(writer);
    out.writeLong(start);
    out.writeLong(end);
  }

  static Operation read(DataInputStream in) throws IOException {
    return new Operation(
        in.readLong(),
        in.readByte(),
        Kind.values()[in.readByte()],
        Result.values()[in.readByte()],
        in.readLong(),
        in.readLong(),
        in.readLong(),
        in.readLong(),
        in.readLong());
  }
}
