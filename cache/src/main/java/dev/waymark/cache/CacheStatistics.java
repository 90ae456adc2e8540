package dev.waymark.cache;

/**
 * What a cache has done since it was built.
 *
 * @param l1Hits answered from this process' memory
 * @param l2Hits answered from Redis
 * @param misses neither had a value that could be served; also counts callers that shared a load
 * @param loads calls of the loader
 * @param loadFailures calls of the loader that threw
 * @param unshared loads whose value was not kept: a write was in doubt, the key changed during the
 *     load, a replica's answer was not known to be new enough, or the value could not be encoded
 * @param degraded loads made because Redis could not be used
 * @param oversized values that were not kept because they are larger than the limit
 * @param loadsRefused loads that did not begin because too many were under way
 * @param staleHits of the hits in L1, those whose value had changed: see {@code
 *     staleWhileRevalidate}
 * @param refreshes values fetched in the background
 */
public record CacheStatistics(
    long l1Hits,
    long l2Hits,
    long misses,
    long loads,
    long loadFailures,
    long unshared,
    long degraded,
    long oversized,
    long loadsRefused,
    long staleHits,
    long refreshes) {}
