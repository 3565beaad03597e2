{{ config(materialized='table', engine='MergeTree()', order_by='number') }}
select number, if(number % 2 = 0, 'ORDER', 'PRODUCT') as source from numbers(100)
