import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.security.Policy;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

import org.apache.kafka.common.utils.Exit;

/**
 * Apache Kafka's tools, many command lines in one JVM: starting one for each takes longer than what they do.
 *
 * A line of input is base64 words: class, standard input, arguments. A line of output is the status, then what the tool wrote, then what it complained.
 * A tool that exits is left standing where it did so; its shutdown hooks run first.
 */
@SuppressWarnings({"removal", "unchecked"})
public class RunTools {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("log4j2.configurationFile", arguments[0]);
        Policy.setPolicy(new Everything());
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream replies = System.out;
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            List<String> words = new ArrayList<>();
            for (String word : line.split(" "))
                words.add(new String(Base64.getDecoder().decode(word.substring(1)), StandardCharsets.UTF_8));
            replies.println(run(words.get(0), words.get(1), words.subList(2, words.size()).toArray(new String[0])));
            replies.flush();
        }
    }

    private static String run(String name, String input, String[] arguments) throws Exception {
        InputStream in = System.in;
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        ByteArrayOutputStream complaints = new ByteArrayOutputStream();
        CompletableFuture<Integer> status = new CompletableFuture<>();
        List<Runnable> hooks = new CopyOnWriteArrayList<>();
        Exit.Procedure end = (code, message) -> {
            status.complete(code);
            while (true)
                LockSupport.park();
        };
        Exit.setExitProcedure(end);
        System.setSecurityManager(new ExitWatch(code -> end.execute(code, null)));
        Exit.setHaltProcedure(end);
        Exit.setShutdownHookAdder((hook, runnable) -> hooks.add(runnable));
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(output, true));
        System.setErr(new PrintStream(complaints, true));
        try {
            Thread tool = new Thread(() -> {
                try {
                    Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
                    status.complete(0);
                } catch (Throwable thrown) {
                    Throwable cause = thrown.getCause() == null ? thrown : thrown.getCause();
                    System.err.print("Exception in thread \"main\" ");
                    cause.printStackTrace();
                    status.complete(1);
                }
            }, "main");
            tool.setDaemon(true);
            tool.start();
            int code = status.get();
            // Producers close in their hooks, of Kafka's own or of the JVM's; consumers' hooks would wait for tools that have ended long since.
            if (name.endsWith("ConsoleProducer"))
                hooks.forEach(Runnable::run);
            for (Thread hook : hooksOfTheJvm())
                if (hook.getName().startsWith("verifiable-producer") && Runtime.getRuntime().removeShutdownHook(hook))
                    hook.run();
            System.out.flush();
            System.err.flush();
            return code + " " + encoded(output) + " " + encoded(complaints);
        } finally {
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
    }

    /** Those that weren't added by Kafka's own `Exit`. */
    private static Set<Thread> hooksOfTheJvm() throws ReflectiveOperationException {
        Field field = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
        field.setAccessible(true);
        return new HashSet<>(((Map<Thread, Thread>) field.get(null)).keySet());
    }

    /** Sees the exits of tools that don't go through Kafka's own `Exit`, and lets everything else pass. */
    private static class ExitWatch extends SecurityManager {
        private final IntConsumer end;

        ExitWatch(IntConsumer end) {
            this.end = end;
        }

        @Override
        public void checkExit(int code) {
            end.accept(code);
        }

        @Override
        public void checkPermission(Permission permission) {
        }
    }

    /** What a security manager needs besides, since JMX asks the policy itself. */
    private static class Everything extends Policy {
        @Override
        public boolean implies(ProtectionDomain domain, Permission permission) {
            return true;
        }
    }

    /** Led by a dot, so that nothing is a word too. */
    private static String encoded(ByteArrayOutputStream bytes) {
        return "." + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
