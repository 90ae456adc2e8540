package dev.waymark.history;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import dev.waymark.Transaction;
import dev.waymark.TransactionHook;
import dev.waymark.WaymarkException;
import dev.waymark.history.Operation.Kind;
import java.sql.SQLException;

/**
 * Another library's two-tier cache, used as its documentation has it: loads come from the primary,
 * and when a transaction has committed, its keys are removed or put. Where the library fails
 * because Redis does, the database answers, as in any sensible application. Its answers are held to
 * the bound of L1 alone, whoever gave them, because the library does not tell.
 */
abstract class PlainCache implements CachedRegisters {
  private final CacheKind.Setting setting;

  PlainCache(CacheKind.Setting setting) {
    this.setting = setting;
  }

  /** The cached value, loaded if it is not there. */
  abstract String get(long key);

  abstract void remove(long key);

  abstract void put(long key, String value);

  /** What its library throws when Redis does not answer. */
  abstract boolean isOfRedis(RuntimeException failure);

  @Override
  public final Seen read(long key) {
    try {
      return new Seen(decode(get(key)), Kind.L1_READ);
    } catch (WaymarkException failure) {
      throw failure;
    } catch (RuntimeException failure) {
      if (!isOfRedis(failure)) {
        throw failure;
      }
      return new Seen(decode(load(key)), Kind.L1_READ);
    }
  }

  /** From the primary. */
  final String load(long key) {
    try {
      Register register =
          setting
              .database()
              .<Register, SQLException>read(
                  key, Consistency.strong(), connection -> setting.rows().read(connection, key));
      setting.dawdle().dawdle();
      return encode(register);
    } catch (SQLException failure) {
      throw new IllegalStateException(failure);
    }
  }

  @Override
  public final void changed(Transaction transaction, long key, Register register, Change change) {
    transaction.join(
        new TransactionHook() {
          @Override
          public void afterCommit(LogPosition position) {
            try {
              switch (change) {
                case INVALIDATE -> remove(key);
                case PUT -> put(key, encode(register));
              }
            } catch (RuntimeException failure) {
              if (!isOfRedis(failure)) {
                throw failure;
              }
              // Committed; there is nothing the application could do but remember it for ever.
            }
          }
        });
  }

  @Override
  public final boolean isUp() {
    return true;
  }

  private static String encode(Register register) {
    return register.version() + " " + register.writer();
  }

  private static Register decode(String value) {
    int space = value.indexOf(' ');
    return new Register(
        Long.parseLong(value.substring(0, space)), Long.parseLong(value.substring(space + 1)));
  }
}
