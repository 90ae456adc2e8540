package dev.waymark.cache;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a cache stands at this moment.
 *
 * @param l1Entries how many values this process' memory holds, about
 * @param loadsUnderWay loads that run
 * @param redisAvailable whether Redis is in use; false as well where there is none
 * @param owed changes that Redis has yet to be told of, over all caches of its tier; what counts as
 *     a whole cache counts once
 * @param stalenessBound how far a value may be behind a committed change at most, through both
 *     tiers; zero if it never is
 * @param channelAge how long ago it was last certain that no message about a change was missed;
 *     null if it is not certain, or there is no channel. L1 serves nothing from Redis while it is
 *     longer than {@code l1StalenessBound}
 */
public record CacheCondition(
    long l1Entries,
    int loadsUnderWay,
    boolean redisAvailable,
    int owed,
    Duration stalenessBound,
    @Nullable Duration channelAge) {}
