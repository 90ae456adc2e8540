package dev.waymark.routing;

import dev.waymark.KeyRange;
import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Hands out new keys, each from a range of the shard it is placed on. Safe to share.
 *
 * <p>Each range has a sequence on its own shard that deals blocks of {@value #BLOCK} keys; a
 * process uses its block up without asking again. Keys are unique; they are neither gap-free (a
 * process that ends leaves the rest of its block) nor in order over processes.
 */
public final class KeyAllocator {
  /** Keys for one round trip. */
  static final int BLOCK = 64;

  private final ShardedDatabase database;
  private final Placement placement;
  private final ConcurrentMap<KeyRange, Queue<Block>> blocks = new ConcurrentHashMap<>();
  private final Set<KeyRange> exhausted = ConcurrentHashMap.newKeySet();

  KeyAllocator(ShardedDatabase database, Placement placement) {
    this.database = database;
    this.placement = placement;
  }

  /** The same keys, placed in another way. */
  public KeyAllocator placedBy(Placement other) {
    return new KeyAllocator(database, other);
  }

  /**
   * A key that was never handed out before.
   *
   * @throws WaymarkException if every range is used up, or the sequences are not installed
   * @throws dev.waymark.UnavailableException if no shard's primary gave a block within the deadline
   */
  public long next() {
    while (true) {
      LiveShard shard = place();
      for (KeyRange range : rangesWithRoom(shard)) {
        Long key = nextIn(shard, range);
        if (key != null) {
          return key;
        }
      }
    }
  }

  /**
   * A new key of one shard.
   *
   * @throws WaymarkException if its ranges are used up, or its sequences are not installed
   */
  long nextOn(LiveShard shard) {
    for (KeyRange range : rangesWithRoom(shard)) {
      Long key = nextIn(shard, range);
      if (key != null) {
        return key;
      }
    }
    throw new WaymarkException(
        "Every key range of shard "
            + shard.name()
            + " is used up (shard map version "
            + database.map().version()
            + "). Nothing was written; add a range to the shard map.",
        Outcome.REJECTED,
        null);
  }

  private LiveShard place() {
    List<LiveShard> withRoom =
        database.shards().stream().filter(shard -> !rangesWithRoom(shard).isEmpty()).toList();
    if (withRoom.isEmpty()) {
      throw new WaymarkException(
          "Every key range is used up (shard map version "
              + database.map().version()
              + "). Nothing was written; add a range to the shard map.",
          Outcome.REJECTED,
          null);
    }
    List<LiveShard> writable =
        withRoom.stream().filter(shard -> shard.view().primary() != null).toList();
    // With no primary at all the write waits for one, up to its deadline.
    List<LiveShard> candidates = writable.isEmpty() ? withRoom : writable;
    String chosen = placement.place(candidates.stream().map(LiveShard::name).toList());
    return candidates.stream()
        .filter(shard -> shard.name().equals(chosen))
        .findFirst()
        .orElseThrow(
            () -> new IllegalStateException("The placement chose no candidate: " + chosen));
  }

  private List<KeyRange> rangesWithRoom(LiveShard shard) {
    List<KeyRange> ranges = new ArrayList<>(database.map().rangesOf(shard.name()));
    ranges.removeAll(exhausted);
    return ranges;
  }

  private @Nullable Long nextIn(LiveShard shard, KeyRange range) {
    Queue<Block> open = blocks.computeIfAbsent(range, unused -> new ConcurrentLinkedQueue<>());
    for (Block block = open.peek(); block != null; block = open.peek()) {
      long key = block.next.getAndIncrement();
      if (key < block.end) {
        return key;
      }
      open.remove(block);
    }
    // Threads that come here together each fetch a block; none is lost, they queue up.
    Long start = fetch(shard, range);
    // A sequence that an earlier map left behind may reach beyond the range.
    if (start == null || !range.contains(start)) {
      exhausted.add(range);
      return null;
    }
    open.add(new Block(start + 1, Math.min(range.to(), saturatedSum(start, BLOCK))));
    return start;
  }

  private @Nullable Long fetch(LiveShard shard, KeyRange range) {
    String sequence = ShardSchema.sequence(range);
    try {
      return database.writeOn(
          shard,
          transaction -> {
            try (PreparedStatement next =
                transaction.connection().prepareStatement("SELECT nextval(?::regclass)")) {
              next.setString(1, sequence);
              try (ResultSet answer = next.executeQuery()) {
                answer.next();
                return answer.getLong(1);
              }
            }
          });
    } catch (SQLException failure) {
      if ("2200H".equals(failure.getSQLState())) {
        return null;
      }
      throw new WaymarkException(
          "Shard "
              + shard.name()
              + " gave no new keys: "
              + failure.getMessage()
              + ". Nothing was written; if the sequence is missing, run schema().install().",
          Outcome.REJECTED,
          failure);
    }
  }

  private static long saturatedSum(long start, int count) {
    long sum = start + count;
    return sum < start ? Long.MAX_VALUE : sum;
  }

  private static final class Block {
    final AtomicLong next;
    final long end;

    Block(long first, long end) {
      this.next = new AtomicLong(first);
      this.end = end;
    }
  }
}
