package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** All that the shards hold of checkouts and money, read past the service. */
final class Ledger {
  private final TestCluster cluster;
  private final BigDecimal openingBalance;

  Ledger(TestCluster cluster, BigDecimal openingBalance) {
    this.cluster = cluster;
    this.openingBalance = openingBalance;
  }

  /** Columns of a row, as texts. */
  List<List<String>> rows(String sql) {
    List<List<String>> found = new ArrayList<>();
    for (ShardServers shard : cluster.shards()) {
      try (Connection connection = shard.primary().connect();
          Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery(sql)) {
        while (rows.next()) {
          List<String> columns = new ArrayList<>();
          for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
            columns.add(Objects.toString(rows.getString(i), ""));
          }
          found.add(columns);
        }
      } catch (SQLException failure) {
        throw new AssertionError(failure);
      }
    }
    return found;
  }

  /** The first column of the rows of all shards. */
  List<String> column(String sql) {
    return rows(sql).stream().map(row -> row.get(0)).toList();
  }

  boolean hasOpenCheckouts() {
    return !column("SELECT id FROM checkouts WHERE state IN ('paying', 'refunding')").isEmpty();
  }

  /** What must hold once every checkout has ended. */
  void check() {
    Map<String, String> payments = new HashMap<>();
    for (List<String> payment : rows("SELECT id, state, amount FROM payments")) {
      String before = payments.put(payment.get(0), payment.get(1) + " " + payment.get(2));
      assertThat(before).as("a second payment for " + payment.get(0)).isNull();
    }
    BigDecimal confirmed = BigDecimal.ZERO;
    for (List<String> checkout :
        rows(
            """
            SELECT c.id, c.state, c.amount, coalesce(o.status, 'gone') FROM checkouts c
            LEFT JOIN orders o ON o.user_id = c.user_id AND o.id = c.order_id
            """)) {
      String payment = payments.remove(checkout.get(0));
      switch (checkout.get(1)) {
        case "confirmed" -> {
          assertThat(payment).isEqualTo("paid " + checkout.get(2));
          assertThat(checkout.get(3)).isIn("confirmed", "gone");
          confirmed = confirmed.add(new BigDecimal(checkout.get(2)));
        }
        case "cancelled" -> {
          assertThat(payment.split(" ")[0]).isIn("declined", "refunded", "void");
          assertThat(checkout.get(3)).isIn("cancelled", "gone");
        }
        default -> throw new AssertionError("A checkout has not ended: " + checkout);
      }
    }
    assertThat(payments).as("payments that no checkout asked for").isEmpty();
    // Per account, and in all.
    assertThat(
            column(
                """
                SELECT a.user_id FROM accounts a
                LEFT JOIN payments p ON p.slot = a.slot AND p.user_id = a.user_id
                  AND p.state = 'paid'
                GROUP BY a.slot, a.user_id, a.balance
                HAVING a.balance + coalesce(sum(p.amount), 0) <> %s
                """
                    .formatted(openingBalance)))
        .as("accounts that do not add up")
        .isEmpty();
    List<String> balances = column("SELECT balance FROM accounts");
    assertThat(
            balances.stream()
                .map(BigDecimal::new)
                .reduce(BigDecimal.ZERO, BigDecimal::add)
                .add(confirmed))
        .as("all the money there is")
        .isEqualByComparingTo(openingBalance.multiply(BigDecimal.valueOf(balances.size())));
  }
}
