"""What AWS is asked, with botocore, in threads: roles of customers, and their queues."""
