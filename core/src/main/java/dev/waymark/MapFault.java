package dev.waymark;

/**
 * One thing wrong with the parts of a shard map. The indexes point into the lists the parts were
 * given in, so that a reader of a file can name the line.
 */
public sealed interface MapFault {
  /** What is wrong and what to write instead, as a sentence without a final stop. */
  String message();

  /** A map must hold at least one of these: {@code "shards"} or {@code "ranges"}. */
  record Missing(String what) implements MapFault {
    @Override
    public String message() {
      return "the map has no " + what + "; write at least one";
    }
  }

  /** Two shards have the same name. */
  record DuplicateShard(int first, int second, String name) implements MapFault {
    @Override
    public String message() {
      return "shard " + name + " is defined twice; give the second one a name of its own";
    }
  }

  /** Two nodes have the same server address, in one shard or in two. */
  record DuplicateServer(
      int firstShard, int firstNode, int secondShard, int secondNode, String address)
      implements MapFault {
    @Override
    public String message() {
      return "server " + address + " is listed twice; each node must be a server of its own";
    }
  }

  /** Two nodes have the same name. */
  record DuplicateNode(int firstShard, int firstNode, int secondShard, int secondNode, String name)
      implements MapFault {
    @Override
    public String message() {
      return "node " + name + " is defined twice; give the second one a name of its own";
    }
  }

  /** A range names a shard that is not there. */
  record UnknownShard(int range, String shard) implements MapFault {
    @Override
    public String message() {
      return "no shard is called " + shard + "; define it under 'shards' or name another";
    }
  }

  /** No range owns some keys between two ranges. */
  record Gap(int before, int after, KeyRange keys) implements MapFault {
    @Override
    public String message() {
      return "no range owns the keys " + keys + "; let the range before end at " + keys.to();
    }
  }

  /** Two ranges own the same keys. */
  record Overlap(int first, int second, KeyRange keys) implements MapFault {
    @Override
    public String message() {
      return "two ranges own the keys " + keys + "; let only one of them own these";
    }
  }
}
