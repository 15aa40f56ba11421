"""How do I write my own locustfile? Users that wait for each answer before they ask again (a closed loop).

locust -f examples/my_own_locustfile.py --host http://127.0.0.1:8000 --users 20 --run-time 1m

The test ends with a folder in runs/: records, a report, a verdict on the objectives below.
"""

from locust import between, task

from harness.user import InferenceUser


class Shopper(InferenceUser):
    """Asks, reads the answer, and asks about it again."""

    wait_time = between(1, 3)
    run_options = {
        "slos": [{"name": "first-token", "metric": "ttft", "percentile": 90, "at_most": "1s"}],
    }

    @task
    def ask_twice(self) -> None:
        """Ask a question and a follow-up."""
        answer = self.chat("Which kettle fits a small kitchen?", max_tokens=48)
        self.chat(f"You said: {answer}. Is there a cheaper one?", max_tokens=48)
