package dev.waymark.cache.model;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A breadth-first walk through every state that a model can reach. It is deterministic, and what it
 * finds first is a shortest way to a broken state.
 *
 * <p>Visited states are kept as 64-bit hashes only. Two states that share one would hide what is
 * behind the second; with ten million states the odds of a single such pair are three in a million.
 */
final class Search {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final Model model;
  private final int limit;

  private long[] hashes = new long[1 << 16];
  private int[] parents = new int[1 << 15];
  private short[] ordinals = new short[1 << 15];
  private int found;

  /** A system of steps between states; a state is a row of bytes of one length. */
  interface Model {
    byte[] initial();

    /** Offers each state that one step leads to, always in the same order. */
    void steps(byte[] state, Steps steps);

    /** What a state breaks, if it does. */
    Optional<String> broken(byte[] state);
  }

  /** Takes the steps out of a state. */
  interface Steps {
    /**
     * @param text says what happens, with at most two numbers: {@link String#format} is called only
     *     for a trace
     * @param next the state after it, which becomes the search's own
     */
    void add(String text, int first, int second, byte[] next);
  }

  /**
   * What came out.
   *
   * @param states how many different states were reached
   * @param depth the number of steps to the last of them
   * @param complete whether nothing was left to visit
   * @param broken what the last state of the trace breaks
   */
  record Verdict(
      int states, int depth, boolean complete, Optional<String> broken, List<String> trace) {
    @Override
    public String toString() {
      StringBuilder text = new StringBuilder();
      text.append(states).append(" states, ").append(depth).append(" steps deep");
      text.append(complete || broken.isPresent() ? "" : ", not all of them");
      text.append(broken.map(what -> ", broken: " + what).orElse(", clean"));
      for (int i = 0; i < trace.size(); i++) {
        text.append(String.format("%n  %2d  %s", i + 1, trace.get(i)));
      }
      return text.toString();
    }
  }

  private Search(Model model, int limit) {
    this.model = model;
    this.limit = limit;
  }

  /**
   * Walks until a state is broken, or nothing is left.
   *
   * @param limit the largest number of states; beyond it the verdict is not {@code complete}
   */
  static Verdict of(Model model, int limit) {
    return new Search(model, limit).run();
  }

  private Verdict run() {
    byte[] initial = model.initial();
    remember(initial, -1, 0);
    List<byte[]> level = List.of(initial);
    int first = 0;
    int depth = 0;
    while (!level.isEmpty()) {
      Level next = new Level();
      for (int i = 0; i < level.size(); i++) {
        next.expand(first + i, level.get(i));
        if (next.broken.isPresent()) {
          return new Verdict(found, depth + 1, false, next.broken, trace(found - 1));
        }
        if (found >= limit) {
          return new Verdict(found, depth + 1, false, Optional.empty(), List.of());
        }
      }
      first += level.size();
      level = next.states;
      depth += level.isEmpty() ? 0 : 1;
    }
    return new Verdict(found, depth, true, Optional.empty(), List.of());
  }

  private final class Level implements Steps {
    private final List<byte[]> states = new ArrayList<>();
    private Optional<String> broken = Optional.empty();
    private int parent;
    private int ordinal;

    void expand(int index, byte[] state) {
      parent = index;
      ordinal = 0;
      model.steps(state, this);
    }

    @Override
    public void add(String text, int first, int second, byte[] next) {
      if (broken.isEmpty() && remember(next, parent, ordinal)) {
        states.add(next);
        broken = model.broken(next);
      }
      ordinal++;
    }
  }

  /** Whether the state is new. */
  private boolean remember(byte[] state, int parent, int ordinal) {
    long hash = hash(state);
    int mask = hashes.length - 1;
    int at = (int) hash & mask;
    while (hashes[at] != 0) {
      if (hashes[at] == hash) {
        return false;
      }
      at = (at + 1) & mask;
    }
    hashes[at] = hash;
    if (found == parents.length) {
      parents = Arrays.copyOf(parents, found * 2);
      ordinals = Arrays.copyOf(ordinals, found * 2);
    }
    parents[found] = parent;
    ordinals[found] = (short) ordinal;
    found++;
    if (found * 2L > hashes.length) {
      grow();
    }
    return true;
  }

  private void grow() {
    long[] old = hashes;
    hashes = new long[old.length * 2];
    int mask = hashes.length - 1;
    for (long hash : old) {
      if (hash != 0) {
        int at = (int) hash & mask;
        while (hashes[at] != 0) {
          at = (at + 1) & mask;
        }
        hashes[at] = hash;
      }
    }
  }

  /** Never 0, which marks an empty place. */
  private static long hash(byte[] state) {
    long hash = 0x9E3779B97F4A7C15L ^ state.length;
    int at = 0;
    for (; at + Long.BYTES <= state.length; at += Long.BYTES) {
      hash = mix(hash ^ (long) LONGS.get(state, at));
    }
    long rest = 0;
    for (; at < state.length; at++) {
      rest = rest << Byte.SIZE | state[at] & 0xFF;
    }
    hash = mix(mix(hash ^ rest));
    return hash == 0 ? 1 : hash;
  }

  private static long mix(long hash) {
    long mixed = (hash ^ hash >>> 32) * 0xD6E8FEB86659FD93L;
    mixed = (mixed ^ mixed >>> 29) * 0xBF58476D1CE4E5B9L;
    return mixed ^ mixed >>> 32;
  }

  /** Takes the steps again that led to a state, this time to name them. */
  private List<String> trace(int last) {
    List<Integer> taken = new ArrayList<>();
    for (int state = last; parents[state] >= 0; state = parents[state]) {
      taken.add(0, (int) ordinals[state]);
    }
    List<String> trace = new ArrayList<>();
    byte[] state = model.initial();
    for (int ordinal : taken) {
      Replay replay = new Replay(ordinal);
      model.steps(state, replay);
      trace.add(replay.text);
      state = replay.next;
    }
    return trace;
  }

  private static final class Replay implements Steps {
    private int left;
    private String text = "";
    private byte[] next = {};

    Replay(int ordinal) {
      this.left = ordinal;
    }

    @Override
    public void add(String format, int first, int second, byte[] state) {
      if (left-- == 0) {
        text = String.format(format, first, second);
        next = state;
      }
    }
  }
}
