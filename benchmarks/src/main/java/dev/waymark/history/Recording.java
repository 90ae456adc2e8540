package dev.waymark.history;

import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The calls of one process, in memory that is a file: what was recorded is there when the process
 * is killed by SIGKILL. Safe to share.
 */
final class Recording {
  private static final int BYTES = 56;

  /** More places than a process can have taken without having put anything there. */
  private static final int LONGEST_GAP = 1_000;

  private final MappedByteBuffer slots;
  private final AtomicInteger used = new AtomicInteger();

  private Recording(MappedByteBuffer slots) {
    this.slots = slots;
  }

  /** A recording in a new file with room for that many calls. */
  static Recording create(Path file, int calls) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      return new Recording(channel.map(FileChannel.MapMode.READ_WRITE, 0, (long) calls * BYTES));
    }
  }

  /** Takes a place for a call. */
  int begin() {
    return used.getAndIncrement();
  }

  /** Records a call in its place; a later word replaces the earlier one. */
  void put(int place, Operation call) {
    int at = place * BYTES;
    slots.putLong(at + 8, call.session());
    slots.putLong(at + 16, call.key());
    slots.putLong(at + 24, call.writer());
    slots.putLong(at + 32, call.start());
    // These change from the first word to the last: a kill between two of them is seen below.
    slots.put(at + 4, (byte) 0);
    slots.putLong(at + 40, call.version());
    slots.putLong(at + 48, call.end());
    slots.put(at + 1, (byte) call.kind().ordinal());
    slots.put(at + 2, (byte) call.result().ordinal());
    slots.put(at + 3, (byte) call.jvm());
    slots.put(at + 4, (byte) 1);
    slots.put(at, (byte) 1);
  }

  /** What a process has recorded, whether it ended or was killed. */
  static List<Operation> read(Path file) throws IOException {
    List<Operation> calls = new ArrayList<>();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer slots = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      int empty = 0;
      for (int at = 0; at < slots.limit() && empty < LONGEST_GAP; at += BYTES) {
        if (slots.get(at) == 0) {
          empty++;
          continue;
        }
        empty = 0;
        Kind kind = Kind.values()[slots.get(at + 1)];
        boolean whole = slots.get(at + 4) == 1;
        if (!whole && kind.isRead()) {
          continue;
        }
        calls.add(
            new Operation(
                slots.getLong(at + 8),
                slots.get(at + 3),
                kind,
                whole ? Result.values()[slots.get(at + 2)] : Result.UNKNOWN,
                slots.getLong(at + 16),
                whole ? slots.getLong(at + 40) : 0,
                slots.getLong(at + 24),
                slots.getLong(at + 32),
                whole ? slots.getLong(at + 48) : Operation.NEVER));
      }
    }
    return calls;
  }
}
