package dev.waymark.routing;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Writes messages byte by byte as PostgreSQL's manual lays them out ("Logical Replication Message
 * Formats"), knowing nothing of the code that reads them.
 */
final class PgOutputBytes {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final DataOutputStream out = new DataOutputStream(bytes);

  static ByteBuffer begin(long commitLsn, int xid) {
    return type('B').int64(commitLsn).int64(0).int32(xid).done();
  }

  static ByteBuffer commit(long commitLsn, long endLsn) {
    return type('C').int8(0).int64(commitLsn).int64(endLsn).int64(0).done();
  }

  /** A table of schema {@code public}; a name with a star belongs to the replica identity. */
  static ByteBuffer relation(int id, String table, String... columns) {
    PgOutputBytes message =
        type('R').int32(id).string("public").string(table).int8('d').int16(columns.length);
    for (String column : columns) {
      message.int8(column.endsWith("*") ? 1 : 0).string(column.replace("*", ""));
      message.int32(25).int32(-1);
    }
    return message.done();
  }

  static ByteBuffer insert(int id, @Nullable String... values) {
    return type('I').int32(id).int8('N').row(values).done();
  }

  static ByteBuffer update(int id, @Nullable String... after) {
    return type('U').int32(id).int8('N').row(after).done();
  }

  static ByteBuffer update(
      int id, char kind, @Nullable String[] before, @Nullable String... after) {
    return type('U').int32(id).int8(kind).row(before).int8('N').row(after).done();
  }

  static ByteBuffer delete(int id, char kind, @Nullable String... before) {
    return type('D').int32(id).int8(kind).row(before).done();
  }

  static ByteBuffer truncate(int... ids) {
    PgOutputBytes message = type('T').int32(ids.length).int8(1);
    for (int id : ids) {
      message.int32(id);
    }
    return message.done();
  }

  static ByteBuffer sent(int flags, long lsn, String prefix, String content) {
    byte[] utf8 = content.getBytes(StandardCharsets.UTF_8);
    return type('M').int8(flags).int64(lsn).string(prefix).int32(utf8.length).raw(utf8).done();
  }

  static PgOutputBytes type(char type) {
    return new PgOutputBytes().int8(type);
  }

  /** Null is NULL; "?" a long value that was not touched. */
  PgOutputBytes row(@Nullable String... values) {
    int16(values.length);
    for (String value : values) {
      if (value == null) {
        int8('n');
      } else if (value.equals("?")) {
        int8('u');
      } else {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        int8('t').int32(utf8.length).raw(utf8);
      }
    }
    return this;
  }

  PgOutputBytes int8(int value) {
    return write(() -> out.writeByte(value));
  }

  PgOutputBytes int16(int value) {
    return write(() -> out.writeShort(value));
  }

  PgOutputBytes int32(int value) {
    return write(() -> out.writeInt(value));
  }

  PgOutputBytes int64(long value) {
    return write(() -> out.writeLong(value));
  }

  PgOutputBytes string(String value) {
    return raw(value.getBytes(StandardCharsets.UTF_8)).int8(0);
  }

  PgOutputBytes raw(byte[] value) {
    return write(() -> out.write(value));
  }

  ByteBuffer done() {
    return ByteBuffer.wrap(bytes.toByteArray());
  }

  private interface Write {
    void run() throws IOException;
  }

  private PgOutputBytes write(Write write) {
    try {
      write.run();
      return this;
    } catch (IOException inMemory) {
      throw new UncheckedIOException(inMemory);
    }
  }
}
