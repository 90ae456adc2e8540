package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class SqlCodeTest {
  private static final Pattern ROW = Pattern.compile("\\| (WM-\\d{3}) \\| (.+) \\| (.+) \\|");

  @Test
  void theListHoldsEveryCodeWithItsHintAndNoOther() throws IOException {
    List<String> rows =
        Files.readAllLines(page()).stream()
            .map(ROW::matcher)
            .filter(row -> row.matches())
            .map(row -> row.group(1) + " " + row.group(3))
            .toList();

    assertThat(rows)
        .containsExactlyElementsOf(
            Arrays.stream(SqlCode.values()).map(code -> code.code() + " " + code.hint()).toList());
  }

  @Test
  void codesNeverChange() {
    assertThat(SqlCode.values())
        .extracting(code -> code.code() + " " + code)
        .containsExactly(
            "WM-001 UNREADABLE",
            "WM-002 SEVERAL_STATEMENTS",
            "WM-003 NO_KEY",
            "WM-004 UNKNOWN_TABLE",
            "WM-005 MOVES_ROW",
            "WM-006 NO_KEY_TO_INSERT",
            "WM-007 NOT_A_KEY",
            "WM-008 WRITES_ON_SEVERAL_SHARDS",
            "WM-009 NOT_MERGED_EXACTLY",
            "WM-010 BAD_HINT",
            "WM-011 VIEW",
            "WM-012 NO_SHARD_NAMED",
            "WM-013 HIDDEN_TABLES",
            "WM-014 LASTS_IN_SESSION",
            "WM-015 OTHER_SHARD",
            "WM-016 TRANSACTION_IN_TEXT",
            "WM-017 UNOWNED_KEY",
            "WM-018 NEEDS_ONE_SHARD",
            "WM-020 TYPE_NOT_MERGED",
            "WM-021 TOO_MANY_GROUPS",
            "WM-022 NO_PREPARED_TRANSACTIONS",
            "WM-023 NO_DECISIONS_TABLE");
  }

  private static Path page() {
    // Run from the module's folder by Maven, from the repository's by some IDEs.
    Path fromModule = Path.of("../docs/errors-sql.md");
    return Files.exists(fromModule) ? fromModule : Path.of("docs/errors-sql.md");
  }
}
