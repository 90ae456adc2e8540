/**
 * A cache in two tiers: Caffeine in the process (L1), Redis shared by all processes (L2). Begin
 * with {@link dev.waymark.cache.TieredCache}.
 */
@NullMarked
package dev.waymark.cache;

import org.jspecify.annotations.NullMarked;
