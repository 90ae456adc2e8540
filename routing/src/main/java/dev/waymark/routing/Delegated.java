package dev.waymark.routing;

import dev.waymark.routing.SqlTree.Expression;
import org.jspecify.annotations.Nullable;

/**
 * A query over several shards that is not merged here, and may be left to a {@link
 * CrossShardEngine}. An immutable value.
 *
 * @param limit a constant or parameter, null for none
 * @param offset a constant or parameter, null for none
 */
record Delegated(@Nullable Expression limit, @Nullable Expression offset) {}
