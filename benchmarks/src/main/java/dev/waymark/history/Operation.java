package dev.waymark.history;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * One call of one session, as its caller saw it.
 *
 * @param session the sessions of all processes have different numbers
 * @param jvm the process that made the call
 * @param key the key read or written
 * @param version what was read, or what the write made of the key; 0 if the call failed
 * @param writer which write made the version that was read; a write's own number for a write
 * @param start when the call began, in nanoseconds of the machine's monotonic clock: all processes
 *     of one Linux machine share it
 * @param end when it returned
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

  /** What was called for. */
  enum Kind {
    WRITE,
    SESSION_READ,
    STRONG_READ,
    BOUNDED_READ,
    EVENTUAL_READ;

    boolean isRead() {
      return this != WRITE;
    }
  }

  /** How it ended. */
  enum Result {
    OK,
    NOT_SENT,
    REJECTED,
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
