package dev.waymark;

import java.util.List;

/**
 * What takes the changes of a {@linkplain ShardChange change stream} over. {@link #take} is called
 * by one thread for each shard, {@link #time} by another. Must be safe to share.
 *
 * <p>Changes come at least once. After a crash, a lost connection or a failure they come again from
 * an earlier place on, perhaps to another process, and a process that was paused may finish late
 * what another has done already: taking a change over twice, or after later ones, must do no harm.
 *
 * <p>While two servers take themselves for the primary of a shard, two processes may follow one
 * each. Their {@linkplain ShardChange#position() positions} tell the timelines apart: what a {@link
 * ShardChange.Reached} of an earlier timeline than one that was told already promises, it promises
 * of the server that was overtaken, and must not be relied on.
 */
public interface ChangeConsumer {
  /**
   * Takes changes over, all or none. A normal return says that they are kept durably: the shard's
   * server may forget them, and nobody is told of them again.
   *
   * @param changes at least one, all of the same shard, in the order of its log
   * @throws Exception to be given the same again after a pause, perhaps together with later ones;
   *     if it goes on failing, another process is given the chance
   */
  void take(List<ShardChange> changes) throws Exception;

  /**
   * The consumer's own clock, in whatever unit and place it likes: Redis' time for a consumer that
   * keeps things there. It is asked first and the shard's log position after, so that {@link
   * ShardChange.Reached#asOf()} is a lower bound by that clock.
   *
   * @throws Exception to go without the next {@link ShardChange.Reached}
   */
  long time() throws Exception;
}
