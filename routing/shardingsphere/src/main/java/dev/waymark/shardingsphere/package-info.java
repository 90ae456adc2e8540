/** ShardingSphere-JDBC as Waymark's engine for queries over several shards. */
@NullMarked
package dev.waymark.shardingsphere;

import org.jspecify.annotations.NullMarked;
