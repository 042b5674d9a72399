import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.CleanerStats;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Cleans logs that were closed in order, at a given time. A line in: "directory now first-dirty-offset first-uncleanable-offset table-bytes load-factor config",
 * config being "key=value,...". A line out: "OK offset-that-cleaning-got-to" or "ERROR exception".
 */
public class CleanLogs {
    static long now;

    static final Time TIME = new Time() {
        public long milliseconds() {
            return now;
        }

        public long nanoseconds() {
            return System.nanoTime();
        }

        public void sleep(long ms) {
        }

        public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) {
        }
    };

    static final ScheduledExecutorService POOL = Executors.newScheduledThreadPool(1);

    static final Scheduler NEVER = new Scheduler() {
        public void startup() {
        }

        public void shutdown() {
        }

        public void resizeThreadPool(int size) {
        }

        public ScheduledFuture<?> schedule(String name, Runnable task, long delayMs, long periodMs) {
            return POOL.schedule(() -> { }, 1, TimeUnit.DAYS);
        }
    };

    static String clean(String[] fields) throws Exception {
        now = Long.parseLong(fields[1]);
        Properties properties = new Properties();
        properties.put("segment.ms", Long.toString(Long.MAX_VALUE));
        for (String pair : fields[6].split(",")) {
            properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1).replace(';', ','));
        }
        UnifiedLog log = UnifiedLog.create(new File(fields[0]), new LogConfig(properties), 0, 0, NEVER, new BrokerTopicStats(), TIME, 1000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(1), true, Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        Throttler throttler = new Throttler(Double.MAX_VALUE, 300, "cleaner-io", "bytes", TIME);
        SkimpyOffsetMap map = new SkimpyOffsetMap(Integer.parseInt(fields[4]), "MD5");
        Cleaner cleaner = new Cleaner(0, map, 65536, 1 << 20, Double.parseDouble(fields[5]), throttler, TIME, partition -> { });
        LogToClean cleanable = new LogToClean(log, Long.parseLong(fields[2]), Long.parseLong(fields[3]), false);
        Map.Entry<Long, CleanerStats> found = cleaner.doClean(cleanable, now);
        log.close();
        return "OK " + found.getKey();
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String said;
            try {
                said = clean(line.split(" ", -1));
            } catch (Throwable e) {
                said = "ERROR " + e.toString().replace('\n', ' ');
                e.printStackTrace();
            }
            System.out.println(said);
            System.out.flush();
        }
    }
}
